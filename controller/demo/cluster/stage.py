"""What runs in the demo on Kubernetes, and where; made by `staged`, which leaves nothing behind."""

import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from controller.demo import programs
from controller.demo.cluster import pod, rollout
from controller.demo.processes import Processes, Program, Running
from controller.demo.watching import Show, View
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.contour import Contour, a_contour
from controller.testing.cluster_parts.kubectl import Kubectl
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.programs import program, wheel_program
from controller.testing.cluster_parts.resources import namespace

HOME = "tidegate"
"""The namespace of the controller."""
SLACK_SECRET = "slack"  # noqa: S105 - a name
BEHAVIOUR: Mapping[str, tuple[float, float]] = {"v11": (0.03, 0.001), "v12": (0.02, 0.0005), "v13": (0.20, 0.03)}
"""Shares of wrong and of harmful answers. Nobody but the model servers is told."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class Stage:
    """`slack` and `models` are ports of this machine; `view` is the newest of the controller, `fresh` tells of it."""

    folder: Path
    processes: Processes
    server: ApiServer
    netns: Netns
    contour: Contour
    slack: int = 0
    models: dict[str, int] = field(default_factory=dict)
    account: Path = Path()
    view: View = field(default_factory=dict)
    fresh: threading.Event = field(default_factory=threading.Event)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def kubectl(self) -> Kubectl:
        """As the administrator, who is not the controller."""
        return self.server.kubectl

    def gone(self) -> dict[str, int]:
        """What ended by itself and should not have; `kubectl wait` may."""
        ended = {name: code for name, code in self.processes.ended().items() if not name.startswith("wait-")}
        cluster = (self.server.process, self.contour.contour, self.contour.envoy)
        return ended | {one.name: 1 for one in cluster if not one.alive}

    def inside(self, server: Program, address: str) -> Running:
        """Start one of the demo's servers in the network, at `address`."""
        argv = self.netns.command([*server.argv, "--address", address])
        return self.processes.start(replace(server, argv=argv, port=0, health=None))


@contextmanager
def staged(show: Show) -> Iterator[Stage]:
    """API server, Contour and Envoy. Raises NetnsRefusedError before anything is started, PartError."""
    _check_programs()
    with ExitStack() as stack:
        with _not_interrupted():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-demo-")))
            stack.enter_context(_temporary_things_in(folder))
            processes = stack.enter_context(Processes(folder / "logs"))
        stack.callback(_be_deaf)  # from here on downwards nothing is left half stopped by a second Ctrl-C
        netns = stack.enter_context(Netns())
        show.note("starting etcd and kube-apiserver")
        server = stack.enter_context(an_api_server())
        show.note(f"the API server answers at {server.url}; starting Contour and Envoy in a network of their own")
        contour = stack.enter_context(a_contour(server, netns))
        stack.callback(processes.stop_all)
        stack.callback(_be_deaf)
        (folder / "state").mkdir()
        yield Stage(folder, processes, server, netns, contour)


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Signals wait until the block is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _temporary_things_in(folder: Path) -> Iterator[None]:
    """Whoever makes a temporary folder makes it in this one, and it goes with it whatever happens."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _check_programs() -> None:
    """Say what is missing before anything is started."""
    for name in ("etcd", "kube-apiserver", "kubectl", "contour", "helm", "generate_cert"):
        program(name)
    wheel_program("envoy")


def start_world(stage: Stage, show: Show) -> None:
    """What is there before Tidegate: models, judge, a Slack receiver, Services and an HTTPRoute on v11."""
    show.note("starting the judge, a Slack receiver and the model servers v11, v12, v13")
    stage.inside(programs.judge(rollout.VERSIONS, port=rollout.PORT), rollout.ADDRESSES[rollout.JUDGE])
    stage.slack = stage.processes.start(programs.slack_receiver()).port() or 0
    stage.netns.expose(stage.slack)
    judge = f"http://{rollout.ADDRESSES[rollout.JUDGE]}:{rollout.PORT}/judge"
    for number, version in enumerate(rollout.VERSIONS):
        wrong, harmful = BEHAVIOUR[version]
        model = programs.model_server(
            version, judge_url=judge, wrong=wrong, harmful=harmful, seed=number, port=rollout.PORT
        )
        stage.inside(model, rollout.ADDRESSES[version])
        stage.models[version] = stage.netns.reach(rollout.ADDRESSES[version], rollout.PORT).port
    stage.kubectl.apply(*rollout.surroundings(stage.contour.gateway))


def start_controller(stage: Stage, show: Show) -> Running:
    """Install the chart; run what its Deployment says as a process with the chart's account, and no other rights."""
    show.note("$ helm upgrade --install tidegate helm/tidegate --namespace tidegate")
    hook = stage.folder / "slack-webhook"
    hook.touch(mode=0o600)
    hook.write_text(f"http://127.0.0.1:{stage.slack}/services/demo")
    _make_secret(stage, hook)
    values = {"alerts": {"slack": {"existingSecret": SLACK_SECRET}}}
    stage.account = chart.install(stage.server, HOME, values)
    stage.kubectl.established("crd/modelrollouts.tidegate.dev")
    hosts = stage.folder / "hosts"
    hosts.write_text(rollout.hosts())
    given = {
        "TIDEGATE_STATE_DIR": str(stage.state_dir),
        "TIDEGATE_HTTP": "127.0.0.1:0",
        "TIDEGATE_KUBECONFIG": str(stage.account),
        "TIDEGATE_SLACK_WEBHOOK_FILE": str(hook),
    }
    deployment = stage.kubectl.get("deployment", pod.NAME, HOME)
    show.note(f"no nodes here: the Deployment's command runs as a process, as system:serviceaccount:{HOME}:{pod.NAME}")
    return stage.processes.start(pod.program(deployment, stage.netns, hosts, given), wait=False)


def _make_secret(stage: Stage, hook: Path) -> None:
    meta = {"name": SLACK_SECRET, "namespace": HOME}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"url": hook.read_text()}}
    stage.kubectl.apply(namespace(HOME), secret)


def _be_deaf() -> None:
    """The end has begun: another Ctrl-C must not cut it short. `Processes` puts the handlers back."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
