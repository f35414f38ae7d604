"""Whatever happens to a service, in any order, the scheduler's promises hold."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.twin.aws.ecs.world import World, faults_of_answer, task_definition
from twin.aws.ecs.model import HealthStatus, RolloutState, Task, TaskStatus

# Each leaves room between what must stay and what may be, for every desired count from 1 on: without it ECS, too, is
# stuck.
CONFIGURATIONS = st.sampled_from([(100, 200), (0, 100), (50, 200), (0, 200)])


class ServiceUnderFire(RuleBasedStateMachine):
    """Desired counts, deployments, deaths, bad releases, zones and health that come and go."""

    @initialize(
        desired=st.integers(0, 6),
        bounds=CONFIGURATIONS,
        checked=st.booleans(),
        breaker=st.booleans(),
    )
    def begin(self, desired: int, bounds: tuple[int, int], checked: bool, breaker: bool) -> None:
        self.world = World()
        self.checked = checked
        self.lost_by_scheduler = False
        self.world.call("CreateCluster", {"clusterName": "shop"})
        self._release()
        self.minimum, self.maximum = bounds
        self.world.start(
            desiredCount=desired,
            taskDefinition="shop:1",
            deploymentConfiguration={
                "minimumHealthyPercent": self.minimum,
                "maximumPercent": self.maximum,
                "deploymentCircuitBreaker": {"enable": breaker, "rollback": breaker},
            },
        )

    def _release(self) -> str:
        container = dict(task_definition()["containerDefinitions"][0])
        if not self.checked:
            del container["healthCheck"]
        answer = self.world.call("RegisterTaskDefinition", task_definition(containerDefinitions=[container]))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    @rule(seconds=st.integers(1, 50))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            before = self._healthy()
            desired = self.world.service.desired_count
            self.world.controller.step()
            after = self._healthy()
            # Only the scheduler acted: it may not go, by its own hand, from enough to too few.
            floor = math.ceil(desired * self.minimum / 100)
            assert len(after) >= min(len(before), floor)
            self.world.now += 1
            self.world.tasks.move()

    @rule(count=st.integers(0, 6))
    def scale(self, count: int) -> None:
        self.world.update(desiredCount=count)

    @rule(fault=st.sampled_from([None, "cannot_start", "unhealthy"]))
    def deploy(self, fault: str | None) -> None:
        arn = self._release()
        if fault:
            getattr(self.world.tasks, fault).add(arn)
        self.world.update(taskDefinition=arn)

    @rule()
    def force(self) -> None:
        self.world.update(forceNewDeployment=True)

    @rule(zone=st.sampled_from(["eu-west-2a", "eu-west-2b", None]))
    def a_zone_closes_or_none_is_closed(self, zone: str | None) -> None:
        self.world.subnets.closed = {zone} if zone else set()

    @precondition(lambda self: self.world.tasks.alive)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.world.tasks.crash(self._some_task(data))

    @precondition(lambda self: self.world.tasks.alive)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self.world.call("StopTask", {"cluster": "shop", "task": self._some_task(data).id})

    @precondition(lambda self: self.checked and self.world.running)
    @rule(data=st.data(), health=st.sampled_from([HealthStatus.HEALTHY, HealthStatus.UNHEALTHY]))
    def health_changes(self, data: st.DataObject, health: HealthStatus) -> None:
        self.world.tasks.set_health(data.draw(st.sampled_from(self.world.running)), health)

    @precondition(lambda self: self.checked)
    @rule()
    def all_turn_unhealthy(self) -> None:
        for task in self.world.running:
            self.world.tasks.set_health(task, HealthStatus.UNHEALTHY)

    def _some_task(self, data: st.DataObject) -> Task:
        return data.draw(st.sampled_from(list(self.world.tasks.alive.values())))

    def _healthy(self) -> set[str]:
        world = self.world
        grace = world.parameters.running_grace
        return {task.id for task in world.tasks.alive.values() if task.counts_as_healthy(world.now, grace)}

    @invariant()
    def nothing_leaks(self) -> None:
        world = self.world
        alive = world.tasks.alive.values()
        assert world.subnets.used == {(task.subnet_id, task.private_address) for task in alive}
        assert world.tasks.registered <= {task.id for task in alive if task.is_wanted}
        assert {task.id for task in world.ecs.tasks.values() if task.last_status is not TaskStatus.STOPPED} == {
            task.id for task in alive
        }

    @invariant()
    def the_api_tells_it_in_its_own_terms(self) -> None:
        for operation, request in (
            ("DescribeServices", {"cluster": "shop", "services": ["shop"]}),
            ("ListServiceDeployments", {"cluster": "shop", "service": "shop"}),
        ):
            assert faults_of_answer(operation, self.world.call(operation, request)) == []

    def teardown(self) -> None:
        """Faults stop, a good release is deployed: everything is as desired, and stays so."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.subnets.closed = set()
        arn = self._release()
        world.update(taskDefinition=arn)
        service = world.service
        for _ in range(90):  # back-off and all it takes minutes, most times one
            world.advance(10)
            if service.steady and len(world.tasks.alive) == service.desired_count:
                break

        assert [task.deployment.task_definition.arn for task in world.running] == [arn] * service.desired_count
        assert len(world.tasks.alive) == service.desired_count == len(world.tasks.registered)
        assert [d.rollout_state for d in service.deployments] == [RolloutState.COMPLETED]
        zones = [task.zone for task in world.running]
        assert abs(zones.count("eu-west-2a") - zones.count("eu-west-2b")) <= 1
        world.call("DeleteService", {"cluster": "shop", "service": "shop", "force": True})
        world.advance(60)
        assert (service.status, world.tasks.alive, world.cloud_map.services) == ("INACTIVE", {}, {})
        assert (world.subnets.used, world.tasks.registered) == (set(), set())


TestServiceUnderFire = ServiceUnderFire.TestCase
TestServiceUnderFire.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
