"""Orders and fills in the words of the Broker API."""

from __future__ import annotations

from typing import Any

from adapters.symbols import to_instrument
from domain.words import Fill, OrderRecord

Json = dict[str, Any]


def order_json(record: OrderRecord) -> Json:
    report: Json = {
        "clientOrderId": record.client_order_id,
        "venueOrderId": record.venue_order_id,
        "instrument": to_instrument(record.code),
        "side": record.side,
        "type": record.type,
        "status": record.status,
        "quantity": str(record.quantity),
        "cumulativeQuantity": str(record.cumulative),
        "cumulativeQuote": str(record.amount),
        "timeUs": record.time_us,
    }
    if record.type == "limit":
        report["timeInForce"] = record.time_in_force
    if record.limit_price:
        report["limitPrice"] = str(record.limit_price)
    if record.replaces:
        report["replacesClientOrderId"] = record.replaces
    if record.reason:
        report["reason"] = record.reason
    return report


def fill_json(fill: Fill) -> Json:
    report: Json = {
        "fillId": fill.fill_id,
        "idSource": "cumulative",
        "venueOrderId": f"{fill.date}-{fill.number}",
        "clientOrderId": fill.client_order_id,
        "instrument": to_instrument(fill.code),
        "side": fill.side,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "fee": str(fill.fee),
        "feeCurrency": "KRW",
        "feeSource": "estimated",
        "liquidity": "unknown",
        "timeUs": fill.time_us,
        "cumulativeQuantity": str(fill.cumulative),
        "provisional": fill.provisional,
    }
    if fill.corrects:
        report["correctsFillId"] = fill.corrects
    return report
