# While the workflow runs: after each training, how many there are and how long the rest will take.
import logging
import time
from dataclasses import replace
from functools import cache

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from lottery.arms.places import Replicates
from lottery.planning.plan import Plan, duration
from lottery.planning.tasks import Task


class TrainingProgress(logging.Handler):
    """Listens to Snakemake's own events and adds an estimate to them.

    A dense network takes ten times as long as a small ticket, so the share done is counted in planned seconds.
    """

    def __init__(self):
        super().__init__()
        self.running = {}
        self.jobs = self.jobs_done = 0
        self.seconds = self.seconds_done = 0.0
        self.began = time.monotonic()

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.start(record.stats)
        elif event == LogEvent.JOB_INFO and record.rule_name == "train":
            self.running[record.jobid] = planned_seconds(job(record.wildcards).place)
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            self.finish(self.running.pop(record.job_id))

    def start(self, jobs_of_rule):
        self.jobs = jobs_of_rule.get("train", 0)
        everything = [each.place for each in listing.trainings(SETTINGS)]
        missing = [
            each for each in everything if not Path("results", SETTINGS.run, each.folder, "summary.json").exists()
        ]
        # There are a few more that only find masks, and some that are made anew; they count as the others do.
        seconds = [planned_seconds(each) for each in missing or everything]
        self.seconds = sum(seconds) * self.jobs / len(seconds)
        self.began = time.monotonic()

    def finish(self, seconds):
        self.jobs_done += 1
        self.seconds_done += seconds
        left = self.seconds - self.seconds_done
        elapsed = time.monotonic() - self.began
        if self.jobs_done == self.jobs:
            text = f"all {self.jobs} training jobs done"
        else:
            seconds_left = max(left, 0) / self.seconds_done * elapsed
            text = f"{self.jobs_done} of {self.jobs} training jobs done, about {duration(seconds_left)} left"
        print(f"Progress: {text}, {duration(elapsed)} since the start", file=sys.stderr, flush=True)


def planned_seconds(place):
    """How long a training job takes, by the plan: as long as another with as many replicates."""
    return seconds_of(replace(place, replicates=Replicates(0, len(place.replicates) - 1)))


@cache
def seconds_of(place):
    return Plan(SETTINGS).duration(Task("train", place))


# In a module rules have other names and are a part of the workflow, whose rest only that workflow can estimate.
if not IS_MODULE and not any(type(handler).__name__ == "TrainingProgress" for handler in logger.handlers):
    logger.addHandler(TrainingProgress())
