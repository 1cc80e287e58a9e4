"""Keeping the records from the command line: `anshou operator|site|resident|device|staff …`."""

from deploy.records.devices import device_app
from deploy.records.operators import operator_app
from deploy.records.residents import resident_app
from deploy.records.sites import site_app
from deploy.records.staff import staff_app

__all__ = ["device_app", "operator_app", "resident_app", "site_app", "staff_app"]
