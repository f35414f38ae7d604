// AWS SDK for JavaScript against a running twin: what a program does that deploys a service, finds it and reads its API.
// Everything comes from the environment (`eval "$(twin env)"`). Prints what it found as JSON.
import { ApiGatewayV2Client, GetApisCommand, GetRoutesCommand } from "@aws-sdk/client-apigatewayv2";
import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  paginateListTasks,
  waitUntilServicesStable,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from "@aws-sdk/client-ecs";
import { DiscoverInstancesCommand, ServiceDiscoveryClient, paginateListServices } from "@aws-sdk/client-servicediscovery";

const [cluster, service, namespace] = process.argv.slice(2);
const ecs = new ECSClient({});
// Else the SDK asks the host `data-127.0.0.1`; it has no variable of the environment for this.
const cloudMap = new ServiceDiscoveryClient({ disableHostPrefix: true });
const gateway = new ApiGatewayV2Client({});
const wait = (client) => ({ client, maxWaitTime: 120, minDelay: 1, maxDelay: 2 });

const described = async () => (await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }))).services[0];
const { taskDefinition } = await ecs.send(
  new DescribeTaskDefinitionCommand({ taskDefinition: (await described()).taskDefinition }),
);
const [container] = taskDefinition.containerDefinitions;
container.environment = [...container.environment, { name: "COLOUR", value: "blue" }];
const registered = await ecs.send(
  new RegisterTaskDefinitionCommand({
    family: taskDefinition.family,
    networkMode: taskDefinition.networkMode,
    requiresCompatibilities: taskDefinition.requiresCompatibilities,
    cpu: taskDefinition.cpu,
    memory: taskDefinition.memory,
    executionRoleArn: taskDefinition.executionRoleArn,
    containerDefinitions: taskDefinition.containerDefinitions,
    volumes: taskDefinition.volumes,
  }),
);
const wanted = registered.taskDefinition.taskDefinitionArn;
await ecs.send(new UpdateServiceCommand({ cluster, service, taskDefinition: wanted, desiredCount: 2 }));
const deployed = await waitUntilServicesStable(wait(ecs), { cluster, services: [service] });

const tasks = [];
for await (const page of paginateListTasks({ client: ecs, pageSize: 1 }, { cluster, serviceName: service })) {
  tasks.push(...page.taskArns);
}
await waitUntilTasksRunning(wait(ecs), { cluster, tasks });
await ecs.send(new StopTaskCommand({ cluster, task: tasks[0], reason: "by JavaScript" }));
await waitUntilTasksStopped(wait(ecs), { cluster, tasks: [tasks[0]] });
const stopped = (await ecs.send(new DescribeTasksCommand({ cluster, tasks: [tasks[0]] }))).tasks[0];
await waitUntilServicesStable(wait(ecs), { cluster, services: [service] });

const names = [];
for await (const page of paginateListServices({ client: cloudMap }, {})) {
  names.push(...page.Services.map((each) => each.Name));
}
const discovered = await cloudMap.send(
  new DiscoverInstancesCommand({ NamespaceName: namespace, ServiceName: service }),
);
const [api] = (await gateway.send(new GetApisCommand({}))).Items;
const routes = (await gateway.send(new GetRoutesCommand({ ApiId: api.ApiId }))).Items;
let refusal;
try {
  await ecs.send(new ListTasksCommand({ cluster: "nowhere" }));
} catch (error) {
  refusal = error.name;
}
console.log(
  JSON.stringify({
    deployed: deployed.state,
    wanted,
    definition: (await described()).taskDefinition,
    tasks: tasks.length,
    stoppedReason: stopped.stoppedReason,
    stoppedAt: stopped.stoppedAt instanceof Date,
    names,
    ports: discovered.Instances.map((each) => each.Attributes.AWS_INSTANCE_PORT),
    routes: routes.map((each) => each.RouteKey).sort(),
    refusal,
  }),
);
