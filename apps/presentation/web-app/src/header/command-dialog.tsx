import { useEffect, useId, useRef, type FormEvent, type ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'

export type Command = 'halt' | 'reduce' | 'resume'

type Props = {
  command: Command
  /** Of which a person may choose another one instead. */
  choices: readonly Command[]
  text: { readonly title: string; readonly effects: readonly string[]; readonly confirm: string }
  isLive: boolean
  working: boolean
  error: Error | null
  onChoose: (command: Command) => void
  onConfirm: (reason: string) => void
  onClose: () => void
}

/** Says what the command does before it is given. */
export function CommandDialog(props: Props): ReactNode {
  const { command, choices, text, isLive, working, error, onChoose, onConfirm, onClose } = props
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
        {choices.length > 1 && (
          <div className="tabs" role="group" aria-label={messages.commandChoice}>
            {choices.map((one) => (
              <button key={one} type="button" aria-pressed={one === command} onClick={() => onChoose(one)}>
                {messages.commandName[one]}
              </button>
            ))}
          </div>
        )}
        <ul>
          {text.effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
        {command === 'resume' && isLive && <p className="warning">{messages.resumesLive}</p>}
        {command !== 'resume' && (
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
