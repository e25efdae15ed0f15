#!/usr/bin/env bash
# A private Slurm for tests: one node on the loopback, two CPUs, one pretended GPU, without cgroups or accounting.
#
#   cluster.sh start    install Debian's packages if they are missing, start what does not run, print READY
#   cluster.sh stop     cancel its jobs, end its daemons, remove its files
#
# Exit status 3: this machine cannot or must not have one; the last line says why. Needs root.
set -euo pipefail

folder=/var/lib/lottery-slurm
export SLURM_CONF=$folder/slurm.conf
# Jobs that Snakemake starts find the cluster only here: the plugin takes SLURM_CONF out of their environment.
link=/etc/slurm/slurm.conf
host=$(uname -n | cut -d. -f1)
PATH=$PATH:/usr/sbin:/sbin

refuse() {
    echo "$*" >&2
    exit 3
}

runs() { # runs DAEMON: the process that we started is still there and still that program
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

launch() { # launch DAEMON OPTION...: in the background, with no pipe of the caller
    runs "$1" && return
    setsid "$@" >>"$folder/$1.out" 2>&1 </dev/null &
    echo $! >"$folder/$1.pid"
}

finish() { # finish DAEMON: TERM, and KILL after ten seconds
    runs "$1" || return 0
    kill "$(cat "$folder/$1.pid")" || true
    for _ in {1..100}; do
        runs "$1" || return 0
        sleep 0.1
    done
    kill -KILL "$(cat "$folder/$1.pid")" || true
}

await() { # await COMMAND...: until it succeeds, for 30 seconds
    local limit=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $limit ]; then
            tail -n 20 "$folder"/*.out >&2
            echo "gave up waiting for: $*" >&2
            exit 1
        fi
        sleep 0.1
    done
}

ready() { [[ $(timeout 5 sinfo --noheader --format %t) =~ ^(idle|mix|alloc|comp)$ ]]; }

no_jobs() { [ -z "$(timeout 5 squeue --noheader || echo unknown)" ]; }

install_packages() {
    local program missing=0
    for program in munged mungekey slurmctld slurmd sbatch; do
        type -P $program >/dev/null || missing=1
    done
    [ $missing = 1 ] || return 0
    type -P apt-get >/dev/null || refuse "Slurm is not installed, and there is no apt-get to install it"
    export DEBIAN_FRONTEND=noninteractive
    local quick=(-o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10)
    local log said
    log=$(mktemp)
    { timeout 60 apt-get "${quick[@]}" update && timeout 120 apt-get "${quick[@]}" --yes --no-install-recommends \
        install munge slurmctld slurmd slurm-client; } >"$log" 2>&1 || said=": $(tail -n 1 "$log")"
    rm "$log"
    [ -z "${said-}" ] || refuse "Slurm is not installed, and apt-get cannot install it$said"
}

configure() {
    mkdir -p $folder/state $folder/spool "$(dirname $link)"
    # The pretended GPU is a device node, as Slurm wants; without cgroups nobody opens it.
    echo "NodeName=$host Name=gpu Type=fake File=/dev/null" >"$folder/gres.conf"
    cat >"$SLURM_CONF" <<CONF
ClusterName=lottery
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17617
SlurmdPort=17618
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.own.pid
SlurmdPidFile=$folder/slurmd.own.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=10000,bf_interval=1
# A quarter of an hour, so that squeue still tells how a job ended; a killed job is gone within two seconds.
MinJobAge=900
KillWait=2
CompleteWait=0
# The node may claim more than the machine has.
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 Feature=pretended Gres=gpu:fake:1 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES PriorityTier=1 State=UP
# Its jobs take the place of jobs of main, which go back to the queue.
PartitionName=urgent Nodes=$host PriorityTier=2 State=UP
CONF
    ln -sf "$SLURM_CONF" $link
}

start() {
    [ "$(id -u)" = 0 ] || refuse "a private Slurm for tests needs root"
    if [ -e $link ] && ! [ $link -ef "$SLURM_CONF" ]; then
        refuse "$link is of another Slurm on this machine, which tests leave alone"
    fi
    if ! { runs munged && runs slurmctld && runs slurmd && ready; }; then
        install_packages
        stop
        configure
        mungekey --create --keyfile=$folder/munge.key
        launch munged --foreground --force --key-file=$folder/munge.key --socket=$folder/munge.socket \
            --pid-file=$folder/munged.own.pid --log-file=$folder/munged.log --seed-file=$folder/munge.seed
        await munge --socket=$folder/munge.socket --no-input
        launch slurmctld -D
        launch slurmd -D
        await ready
    fi
    echo READY
}

stop() {
    if runs slurmctld; then
        timeout 10 scancel --full --user=root || true
        for _ in {1..50}; do
            no_jobs && break
            sleep 0.1
        done
    fi
    local daemon
    for daemon in slurmd slurmctld munged; do finish $daemon; done
    [ "$(readlink $link)" != "$SLURM_CONF" ] || rm $link
    rm -rf $folder
}

case ${1-} in
start) start ;;
stop) stop ;;
*)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac
