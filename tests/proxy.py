"""The proxy that fails as networks do, for tests of any room; it ships with `anshou bench faults`."""

from benchmarks.faults.proxy import Mode, Proxies, Proxy, proxies

__all__ = ["Mode", "Proxies", "Proxy", "proxies"]
