import { useMutation } from '@tanstack/react-query'
import { useRef, useState, type ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { api } from '../live/api.ts'
import type { HaltView, StatusView } from '../views.ts'
import { CommandDialog } from './command-dialog.tsx'

type Command = 'halt' | 'resume'

type Props = { mode: StatusView['mode'] | undefined; tradingState: StatusView['tradingState'] }

/** Halt is offered unless everything is halted, resume unless everything is active. */
export function HaltControl({ mode, tradingState }: Props): ReactNode {
  const messages = useMessages()
  const [asked, setAsked] = useState<Command>()
  const opener = useRef<HTMLButtonElement>(null)
  const command = useMutation<HaltView, Error, { command: Command; reason: string }>({
    mutationFn: (wanted) => (wanted.command === 'halt' ? api.halt(wanted.reason) : api.resume()),
    onSuccess: () => setAsked(undefined),
  })
  const ask = (wanted: Command): void => {
    command.reset()
    setAsked(wanted)
  }
  return (
    <div className="commands">
      {tradingState !== 'active' && (
        <button ref={opener} type="button" className="button resume" onClick={() => ask('resume')}>
          {messages.resumeAction}
        </button>
      )}
      {tradingState !== 'halted' && (
        <button ref={opener} type="button" className="button halt" onClick={() => ask('halt')}>
          <i className="stop" aria-hidden="true" />
          {messages.haltAction}
        </button>
      )}
      {asked !== undefined && (
        <CommandDialog
          command={asked}
          isLive={mode === 'live'}
          working={command.isPending}
          error={command.error}
          onConfirm={(reason) => command.mutate({ command: asked, reason })}
          onClose={() => {
            setAsked(undefined)
            opener.current?.focus()
          }}
        />
      )}
      <div className="toast-place" role="status">
        {command.isSuccess && (
          <p className="toast">
            {command.variables.command === 'halt'
              ? messages.haltResult(command.data.cancelled, command.data.unknown, command.data.open)
              : messages.resumeResult}
            <button type="button" aria-label={messages.dismiss} onClick={() => command.reset()}>
              ×
            </button>
          </p>
        )}
      </div>
    </div>
  )
}
