// Who may do what in the sample for Kubernetes: nodes are somebody to NATS by a secret, and pods that are none reach neither NATS
// nor nodes.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { root } from '../processes/harness.js';

const at = join(root, 'examples/cluster');
const read = (path: string): string => readFileSync(join(at, path), 'utf8');

interface SecretKey {
  readonly name: string;
  readonly key: string;
}
interface Policy {
  readonly podSelector: { readonly matchLabels: Record<string, string> };
  readonly ingress: readonly {
    readonly from: readonly unknown[];
    readonly ports: readonly { port: string | number }[];
  }[];
}
interface Pod {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly spec: {
    readonly containers: readonly [
      {
        readonly env: readonly {
          name: string;
          value?: string;
          valueFrom?: { secretKeyRef?: SecretKey };
        }[];
        readonly ports?: readonly { name: string }[];
      },
    ];
  };
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: Pod };
}

describe('the sample for Kubernetes', () => {
  const manifests = readdirSync(join(at, 'kubernetes'))
    .filter((name) => !/^(kustomization|nats-values)\.yaml$/.test(name))
    .flatMap((name) => parseAllDocuments(read(`kubernetes/${name}`)).map((one) => one.toJS() as Manifest));
  const of = (kind: string): Manifest[] => manifests.filter((one) => one.kind === kind);
  const pods = of('Deployment').map(({ metadata, spec }) => ({ name: metadata.name, pod: spec.template }));

  test('each role is who it is to NATS by the secret that NATS has its password from', () => {
    const values = parse(read('kubernetes/nats-values.yaml')) as {
      config: { merge: Record<string, string> };
      container: { env: Record<string, { valueFrom: { secretKeyRef: SecretKey } }> };
    };
    assert.equal(values.config.merge.$include, './permissions.conf');
    const permissions = read('nats/permissions.conf');
    const users = [...permissions.matchAll(/user: (\w+), password: \$(\w+)/g)];
    const wanted = users.map(([, user = '', variable = '']) => [
      variable,
      { name: 'signalbox-nats', key: user },
    ]);
    const given = Object.entries(values.container.env).map(([name, { valueFrom }]) => [
      name,
      valueFrom.secretKeyRef,
    ]);
    assert.deepEqual(given, wanted);
    for (const { name, pod } of pods) {
      const [{ env }] = pod.spec.containers;
      const settingOf = (setting: string) => env.find((one) => one.name === setting);
      const role = name.replace('signalbox-', '');
      assert.equal(settingOf('SIGNALBOX_NATS_USER')?.value, role);
      const { secretKeyRef } = settingOf('SIGNALBOX_NATS_PASSWORD')?.valueFrom ?? {};
      assert.deepEqual(secretKeyRef, { name: 'signalbox-nats', key: role });
    }
  });

  test('nobody but nodes is let to nodes and to NATS, but for the ingress to the doors of routers', () => {
    const policies = of('NetworkPolicy').map(({ spec }) => spec as unknown as Policy);
    const to = (podLabels: Record<string, string>): Policy['ingress'] =>
      policies
        .filter(({ podSelector }) =>
          Object.entries(podSelector.matchLabels).every(([label, value]) => podLabels[label] === value),
        )
        .flatMap(({ ingress }) => ingress);
    const nodes = { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'signalbox' } } };
    const isNodes = (from: unknown): boolean => JSON.stringify(from) === JSON.stringify([nodes]);
    for (const { name, pod } of pods) {
      const ports = pod.spec.containers[0].ports ?? [];
      const rules = to(pod.metadata.labels);
      const others = rules.filter(({ from }) => !isNodes(from)).flatMap((rule) => rule.ports);
      const open = ports.filter((one) => others.some(({ port }) => port === one.name));
      assert.deepEqual(
        open.map((one) => one.name),
        name === 'signalbox-router' ? ['http', 'grpc'] : [],
      );
      const own = rules.filter(({ from }) => isNodes(from)).flatMap((rule) => rule.ports);
      // Drains come to routers from others' pods.
      assert.deepEqual(
        own.map(({ port }) => port),
        ['post', 'http'],
      );
    }
    const nats = to({ 'app.kubernetes.io/name': 'nats' });
    const clients = nats.filter(({ ports }) => ports.some(({ port }) => port === 4222));
    assert.ok(clients.length === 1 && isNodes(clients[0]?.from));
    for (const { from, ports } of [...nats, ...pods.flatMap(({ pod }) => to(pod.metadata.labels))]) {
      assert.ok(from.length > 0 && ports.length > 0, 'what names nobody lets all in');
    }
  });
});
