"""Where each HTTP API is on this machine."""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock

from twin.machine.addresses import Address, LoopbackAddresses

__all__ = ["ApiUrls"]


class ApiUrls:
    """Gives each API an address: the first the gateway's own, every other, while that one is there, one beside it.

    Any thread may ask.
    """

    def __init__(self, first: Address, addresses: LoopbackAddresses) -> None:
        self.first = first
        self._addresses = addresses
        self._of: dict[str, Address] = {}  # by the API's id
        self._lock = Lock()

    def address(self, api: str) -> Address:
        """That of the API with this id, from now on."""
        with self._lock:
            if api not in self._of:
                taken = self.first in self._of.values()
                self._of[api] = self._addresses.allocate_or_above(self.first.port) if taken else self.first
            return self._of[api]

    def url(self, api: str) -> str:
        """Its `ApiEndpoint`."""
        return f"http://{self.address(api)}"

    def keep(self, apis: Collection[str]) -> None:
        """Forget all others, which are gone."""
        with self._lock:
            self._of = {api: address for api, address in self._of.items() if api in apis}
