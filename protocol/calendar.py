"""The time of the homes. What is stored is UTC; days begin where the people live."""

from zoneinfo import ZoneInfo

HOME_TIME = ZoneInfo("Asia/Shanghai")
