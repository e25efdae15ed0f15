# The folder where Snakemake runs: whether another one runs there, and whether it knows the results that lie there.
import shutil

from lottery.evidence import records

HERE = Path.cwd()


def ask_for_adoption():
    """Stop before results are taken or made again of which Snakemake has no records; say which files are gone."""
    run = Path("results", SETTINGS.run)
    adopt = f"`lottery adopt {run}`"
    known, asked = records.Records(HERE), set()
    for each in listing.trainings(SETTINGS):
        group = (each.place.experiment, each.place.replicates)
        summary = each.path(run, "summary.json")
        if group not in asked and summary.exists():
            asked.add(group)
            if not known.knows(str(summary)):
                raise WorkflowError(
                    f"{summary.parents[2]}: was not made in this folder, or Snakemake's records of it are gone (.snakemake):"
                    f" {adopt} looks what of it this code makes with its settings, and records it"
                )
    if lost := keeping.lost(run, SETTINGS):
        more = f" and {len(lost) - 1} other files are" if len(lost) > 1 else " is"
        print(
            f"{lost[0]}{more} gone of trainings that are done: {adopt} finds what must be made again", file=sys.stderr
        )


class TellsWhoRuns(logging.Filter):
    """Says in place of Snakemake, which cannot know it, whether the Snakemake that locked the folder still runs."""

    def filter(self, record):
        if HELD and getattr(record, "exception", None) == "LockException":
            HELD.close()
            if records.is_held(HERE):
                told = (
                    "Another Snakemake runs in this folder and makes some of the same files: wait until it is done, or run"
                    " this one elsewhere (snakemake --directory FOLDER)"
                )
            else:
                told = (
                    "A Snakemake that ran in this folder was killed, which left it locked: unless one still runs there on"
                    " another machine, snakemake --unlock, then the same command with --rerun-incomplete"
                )
            record.msg, record.args = f"LockException:\n{HERE}: {told}", ()
        return True


def check_cluster():
    """Stop a run on a cluster before anything is done where its jobs would share the cores of this machine, or where
    there is no Slurm.
    """
    cores = workflow.resource_settings.cores
    if not workflow.executor_plugin.common_settings.local_exec and cores is not None:
        raise WorkflowError(
            f"cores: {cores}: would be all that the cluster's jobs have together; a cluster's profile is named by"
            " --workflow-profile, which leaves out the one of this machine, and --jobs limits how many jobs it has"
        )
    if workflow.executor_plugin.name == "slurm" and not shutil.which("sbatch"):
        raise WorkflowError("sbatch is not here: the profile for Slurm is for a machine from which jobs are submitted")


if not IS_MODULE and workflow.is_main_process:
    HELD = records.hold(HERE)
    logger.addFilter(TellsWhoRuns())
    if records.ADOPTING not in os.environ and workflow.workflow_settings.persistence_backend.name == "FILE":
        ask_for_adoption()
