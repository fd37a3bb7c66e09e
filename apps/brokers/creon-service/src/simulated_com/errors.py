"""COM errors as pywin32 raises them: `(hresult, text, excepinfo, argerror)`."""

from __future__ import annotations


class com_error(Exception):
    def __init__(self, hresult: int, strerror: str, description: str | None = None) -> None:
        excepinfo = None if description is None else (0, "CpSimulated", description, None, 0, hresult)
        super().__init__(hresult, strerror, excepinfo, None)
        self.hresult = hresult
        self.strerror = strerror
        self.excepinfo = excepinfo
        self.argerror = None


CLASS_NOT_REGISTERED = -2147221005
WRONG_THREAD = -2147417842
NOT_CONNECTED = -2147483638
SERVER_UNAVAILABLE = -2147023174
NOT_INITIALISED = -2147221008
DISPATCH_EXCEPTION = -2147352567


def class_not_registered() -> com_error:
    return com_error(CLASS_NOT_REGISTERED, "Invalid class string")


def wrong_thread() -> com_error:
    return com_error(WRONG_THREAD, "The application called an interface that was marshalled for a different thread.")


def not_connected() -> com_error:
    return com_error(NOT_CONNECTED, "Exception occurred.", "U-CYBOS가 서버에 접속되어 있지 않습니다")


def server_unavailable() -> com_error:
    return com_error(SERVER_UNAVAILABLE, "The RPC server is unavailable.")


def not_initialised() -> com_error:
    return com_error(NOT_INITIALISED, "CoInitialize has not been called.")


def failed(description: str) -> com_error:
    return com_error(DISPATCH_EXCEPTION, "Exception occurred.", description)
