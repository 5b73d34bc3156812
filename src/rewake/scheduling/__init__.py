"""Scheduling: functions that run later, or again and again. Floor 4.

lineup.py      which due jobs may begin, and when to look again: a state machine without I/O
scheduler.py   its driver: finds due jobs, runs them, hears of new ones through the commit log
crons.py       the same for crons
"""

from rewake.scheduling.crons import cron_scheduler
from rewake.scheduling.lineup import Lineup
from rewake.scheduling.scheduler import House, Scheduler

__all__ = ["House", "Lineup", "Scheduler", "cron_scheduler"]
