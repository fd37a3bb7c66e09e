import { useEffect, useId, useRef, type FormEvent, type ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'

type Props = {
  command: 'halt' | 'resume'
  text: { readonly title: string; readonly effects: readonly string[]; readonly confirm: string }
  isLive: boolean
  working: boolean
  error: Error | null
  onConfirm: (reason: string) => void
  onClose: () => void
}

/** Says what the command does before it is given. */
export function CommandDialog({ command, text, isLive, working, error, onConfirm, onClose }: Props): ReactNode {
  const messages = useMessages()
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const confirm = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    onConfirm(String(new FormData(event.currentTarget).get('reason') ?? '').trim())
  }
  return (
    <dialog ref={dialog} className={`dialog ${command}`} aria-labelledby={title} onClose={onClose}>
      <form onSubmit={confirm}>
        <h2 id={title}>{text.title}</h2>
        <ul>
          {text.effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
        {command === 'resume' && isLive && <p className="warning">{messages.resumesLive}</p>}
        {command === 'halt' && (
          <label>
            {messages.haltReason}
            <input name="reason" maxLength={500} autoComplete="off" />
          </label>
        )}
        {error !== null && (
          <p className="warning" role="alert">
            {messages.commandFailed(error.message)}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button plain" onClick={onClose} disabled={working}>
            {messages.cancel}
          </button>
          <button type="submit" className={`button solid ${command}`} disabled={working} autoFocus>
            {working ? messages.working : text.confirm}
          </button>
        </div>
      </form>
    </dialog>
  )
}
