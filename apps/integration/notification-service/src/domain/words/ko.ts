/** What services and brokers say in their own words stays as it was said, behind the Korean words for it. */
import { REASON_WORDS_KO } from '@jts/contracts/reason-words'
import type { AdjustmentReason } from '@jts/model'
import { kstText, movement, type Said, type Words } from './words.ts'

const SIDE: Readonly<Record<string, string>> = { buy: '매수', sell: '매도' }
const TRADING: Readonly<Record<string, string>> = { active: '재개', reducing: '축소만 허용', halted: '정지' }
const HEALTH: Readonly<Record<string, string>> = { up: '정상', degraded: '주의', down: '중단' }
const FOREIGN_HANDLING: Readonly<Record<string, string>> = {
  alert: '체결은 장부에 반영하고 거래는 계속합니다',
  adopt: '체결은 장부에 반영하고, 거래를 정지하면 함께 취소합니다',
  block: '체결은 장부에 반영하고, 사람이 재개할 때까지 축소만 허용합니다',
}
const ADJUSTMENT: Readonly<Record<AdjustmentReason, string>> = {
  deposit: '입금',
  withdrawal: '출금',
  dividend: '배당',
  fee: '수수료',
  'corporate-action': '권리(증자·분할 등)',
  correction: '정정',
}

type Reason = { readonly reasonCode: string; readonly reason: string }

function because(title: string, { reasonCode, reason }: Reason): Said {
  const words = (REASON_WORDS_KO as Readonly<Record<string, string>>)[reasonCode]
  const own = `${reasonCode}: ${reason}`
  return { title, text: words === undefined ? own : `${words} (${own})` }
}

const sideOf = (side: string | undefined): string => SIDE[side ?? ''] ?? ''

export const ko: Words = {
  OrderFilled: ({ ref, lastQuantity, lastPrice, fee, feeCurrency }) => ({
    title: `체결: ${ref?.instrument} ${sideOf(ref?.side)} ${lastQuantity}`,
    text: `체결가 ${lastPrice}, 수수료 ${fee} ${feeCurrency} (${ref?.strategy})`,
  }),
  OrderRejected: (said) => because(`주문 거부: ${said.ref?.instrument}`, said),
  OrderUnknown: ({ ref, reason }) => ({
    title: `응답 없는 주문: ${ref?.instrument}`,
    text: `결과를 확인하고 있으며 다시 보내지 않습니다 (${reason})`,
  }),
  OrderFoundLate: ({ ref, reason }) => ({
    title: `없는 것으로 보았던 주문이 발견되었습니다: ${ref?.instrument}`,
    text: `아직 미체결이면 취소합니다 (${reason})`,
  }),
  OrderExpired: (said) => because(`주문 만료: ${said.ref?.instrument}`, said),
  OrderDenied: (said) => because(`보내지 않은 주문: ${said.terms?.ref?.instrument}`, said),
  SignalExpired: (said) => because(`보내지 않은 주문: ${said.terms?.ref?.instrument}`, said),
  BalanceAdjusted: ({ currency, amount, reason, source, by, words }) => {
    const { isOut, size } = movement(amount)
    const told = source === 'person' ? `${by}이(가) 반영: ${words}` : '브로커가 알려 왔습니다'
    return {
      title: `거래 없이 ${isOut ? '나간' : '들어온'} 잔고: ${size} ${currency}`,
      text: `${ADJUSTMENT[reason as AdjustmentReason] ?? reason}, ${told}`,
    }
  },
  ForeignFill: ({ instrument, side, quantity, price }) => ({
    title: `JTS가 내지 않은 주문의 체결: ${instrument}`,
    text: `${sideOf(side)} ${quantity}, 체결가 ${price}`,
  }),
  ForeignOrderFound: ({ instrument, side, quantity, venueOrderId, handling }) => ({
    title: `JTS가 내지 않은 미체결 주문: ${instrument}`,
    text: `${sideOf(side)} ${quantity} (${venueOrderId}). ${FOREIGN_HANDLING[handling] ?? ''}`,
  }),
  LogStopped: ({ reader, eventId, reason }) => ({
    title: `${reader}이(가) 이벤트 로그에서 멈췄습니다`,
    text: `${eventId}을(를) 처리하지 못했습니다: ${reason}`,
  }),
  TradingStateChanged: ({ scope, strategy, state, reason }) => ({
    title: `${scope === 'strategy' ? `${strategy} ` : ''}거래 ${TRADING[state] ?? state}`,
    text: reason,
  }),
  SignalWaiting: ({ side, quantity, quoteQuantity, instrument, strategy, notBeforeUs }) => ({
    title: `장이 열리기를 기다리는 주문: ${instrument}`,
    text: `${sideOf(side)} ${quantity || `금액 ${quoteQuantity}`}. ${kstText(notBeforeUs)}(한국 시각)부터, 그때 리스크가 승인하면 보냅니다 (${strategy})`,
  }),
  RiskAlert: (said) => because(`리스크 차단: ${said.signal?.instrument}`, said),
  ServiceHealth: ({ service, state, reason }) => ({ title: `${service} ${HEALTH[state] ?? state}`, text: reason }),
}
