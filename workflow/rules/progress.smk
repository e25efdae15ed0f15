# While the workflow runs: after each training, how many there are and how long the rest will take.
import logging
import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class TrainingProgress(logging.Handler):
    """Listens to Snakemake's own events and adds an estimate to them.

    Trainings differ in size, so the share done is counted in updates: iterations times networks of each job.
    """

    def __init__(self):
        super().__init__()
        self.running = {}
        self.jobs = self.jobs_done = 0
        self.updates = self.updates_done = 0
        self.began = time.monotonic()

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.start(record.stats)
        elif event == LogEvent.JOB_INFO and record.rule_name.startswith("train_"):
            self.running[record.jobid] = training_updates(record.wildcards)
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            self.finish(self.running.pop(record.job_id))

    def start(self, jobs_of_rule):
        self.jobs = sum(count for rule, count in jobs_of_rule.items() if rule.startswith("train_"))
        sizes = [training_updates(vars(training)) for training in runs.trainings(SETTINGS)]
        self.updates = sum(sizes) * self.jobs / len(sizes)
        self.began = time.monotonic()

    def finish(self, updates):
        self.jobs_done += 1
        self.updates_done += updates
        left = self.updates - self.updates_done
        elapsed = time.monotonic() - self.began
        if self.jobs_done == self.jobs:
            text = f"all {self.jobs} training jobs done"
        else:
            seconds = max(left, 0) / self.updates_done * elapsed
            text = f"{self.jobs_done} of {self.jobs} training jobs done, about {in_words(seconds)} left"
        print(f"Progress: {text}, {in_words(elapsed)} since the start", file=sys.stderr, flush=True)


def training_updates(place):
    """Updates in a training job, from its experiment, stack and arm."""
    experiment = SETTINGS.experiments[place["experiment"]]
    stack = stacks.Stack.parse(str(place["stack"]))
    draws = runs.draws_of(experiment, place.get("arm", runs.DENSE))
    return experiment.training.iterations * len(stack.members(draws))


def in_words(seconds):
    """A duration to the nearest second, minute or tenth of an hour."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# In a module rules have other names and are a part of the workflow, whose rest only that workflow can estimate.
if not IS_MODULE and not any(type(handler).__name__ == "TrainingProgress" for handler in logger.handlers):
    logger.addHandler(TrainingProgress())
