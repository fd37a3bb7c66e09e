import { useMutation } from '@tanstack/react-query'
import { useRef, useState, type ReactNode } from 'react'
import { createPortal } from 'react-dom'
import { useMessages } from '../i18n/language-context.tsx'
import { api } from '../live/api.ts'
import type { HaltView, StatusView } from '../views.ts'
import { CommandDialog, type Command } from './command-dialog.tsx'

type Props = {
  mode: StatusView['mode'] | undefined
  tradingState: StatusView['tradingState']
  /** One strategy instance alone; everything without it. */
  instance?: string
  /** It stands still for another cause, which a resume lifts, too. */
  standsStill?: boolean
}

const STATE = { halt: 'halted', reduce: 'reducing' } as const

/** Halt is offered unless everything is halted, resume unless everything is active. */
export function HaltControl({ mode, tradingState, instance, standsStill = false }: Props): ReactNode {
  const messages = useMessages()
  const [asked, setAsked] = useState<Command>()
  const opener = useRef<HTMLButtonElement>(null)
  const command = useMutation<HaltView, Error, { command: Command; reason: string }>({
    mutationFn: ({ command: wanted, reason }) =>
      wanted === 'resume' ? api.resume(instance) : api.halt(STATE[wanted], reason, instance),
    onSuccess: () => setAsked(undefined),
  })
  const words = instance === undefined ? messages.ofAll : messages.ofStrategy(instance)
  const ask = (wanted: Command): void => {
    command.reset()
    setAsked(wanted)
  }
  // What stands is said: a halt that only reduces opens nothing that is halted.
  const resultOf = (given: Command, { tradingState: stands, cancelled, unknown, open }: HaltView): string => {
    if (given === 'resume') return words.resumeResult
    return (stands === 'reducing' ? words.reduceResult : words.haltResult)(cancelled, unknown, open)
  }
  return (
    <div className="commands">
      {(tradingState !== 'active' || standsStill) && (
        <button
          ref={opener}
          type="button"
          className="button resume"
          aria-label={words.resumeLabel}
          onClick={() => ask('resume')}
        >
          {words.resumeAction}
        </button>
      )}
      {tradingState !== 'halted' && (
        <button
          ref={opener}
          type="button"
          className="button halt"
          aria-label={words.haltLabel}
          onClick={() => ask('halt')}
        >
          <i className="stop" aria-hidden="true" />
          {words.haltAction}
        </button>
      )}
      {/* Not where the button is: the lists around it have a look of their own. */}
      {createPortal(
        <>
          {asked !== undefined && (
            <CommandDialog
              command={asked}
              // What only reduces already can still be halted.
              choices={asked === 'resume' || tradingState === 'reducing' ? [asked] : ['halt', 'reduce']}
              text={words.dialog[asked]}
              isLive={mode === 'live'}
              working={command.isPending}
              error={command.error}
              onChoose={setAsked}
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
                {resultOf(command.variables.command, command.data)}
                <button type="button" aria-label={messages.dismiss} onClick={() => command.reset()}>
                  ×
                </button>
              </p>
            )}
          </div>
        </>,
        document.body,
      )}
    </div>
  )
}
