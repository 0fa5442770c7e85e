//! Kubernetes: one StatefulSet with a volume for the embedded store, or a Deployment for each role on PostgreSQL.

use super::{
    containers::DOCKERFILE,
    site::{is_embedded, memory_max, name_and_port, processes, public},
};
use crate::{File, Plan, design::Hosting};

pub fn files(plan: &Plan) -> Vec<File> {
    vec![File::new("deploy/Dockerfile", DOCKERFILE), File::new("deploy/kubernetes.yaml", manifests(plan))]
}

fn manifests(plan: &Plan) -> String {
    let embedded = is_embedded(plan);
    let mut text = HEAD.to_owned();
    let all = processes(plan);
    for (name, role, count) in &all {
        text += &workload(plan, name, role, *count, embedded);
        text += &DISRUPTION.replace("{name}", name);
    }
    let (host, path) = public(plan);
    // The first is the one that receives.
    let first = all[0].0;
    text + &FRONT
        .replace("{name}", first)
        .replace("{host}", name_and_port(&host).0)
        .replace("{path}", &format!("{path}/webhooks"))
}

fn workload(plan: &Plan, name: &str, role: &str, count: u32, embedded: bool) -> String {
    let arguments = if role == "all" { String::new() } else { format!(", \"--role\", \"{role}\"") };
    let data = if embedded { ", \"--data\", \"/var/lib/hookhaven\"" } else { "" };
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let gib = plan.design.disk_bytes.value.div_ceil(1 << 30);
    let memory = plan.design.memory_bytes.value;
    let Hosting { cores, memory_bytes, .. } = &plan.design.hosting.value;
    let (kind, more) =
        if embedded { ("StatefulSet", format!("  serviceName: {name}\n")) } else { ("Deployment", String::new()) };
    let volume = if embedded { "" } else { "        - { name: data, emptyDir: {} }\n" };
    let claim = if embedded { CLAIM.replace("{disk}", &format!("{gib}Gi")) } else { String::new() };
    WORKLOAD
        .replace("{kind}", kind)
        .replace("{name}", name)
        .replace("{replicas}", &if embedded { 1 } else { count }.to_string())
        .replace("{more}", &more)
        .replace("{arguments}", &format!("{arguments}{data}"))
        .replace("{request}", &format!("{}Mi", mib(memory)))
        .replace("{cores}", &cores.to_string())
        .replace("{limit}", &format!("{}Mi", mib(memory_max(plan).max(*memory_bytes))))
        .replace("{spread}", &if count > 1 { SPREAD.replace("{name}", name) } else { String::new() })
        .replace("{volume}", volume)
        + &claim
}

const HEAD: &str = "\
# kubectl create configmap hookhaven --from-file=hookhaven.toml
# kubectl create secret generic hookhaven --from-env-file=.env
# kubectl apply -f deploy/kubernetes.yaml
# `image` is the one that deploy/Dockerfile makes, under the name that your cluster pulls it by.
";

const WORKLOAD: &str = "\
---
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
  labels: { app: hookhaven, part: {name} }
spec:
  replicas: {replicas}
{more}  selector:
    matchLabels: { app: hookhaven, part: {name} }
  template:
    metadata:
      labels: { app: hookhaven, part: {name} }
    spec:
      # SIGTERM drains for limits.drain_timeout (20 s); leave it that and some more.
      terminationGracePeriodSeconds: 40
      automountServiceAccountToken: false
{spread}      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: { type: RuntimeDefault }
      containers:
        - name: hookhaven
          image: hookhaven
          args: [\"serve\", \"--config\", \"/etc/hookhaven/hookhaven.toml\"{arguments}]
          envFrom:
            - secretRef: { name: hookhaven }
          ports:
            - { name: ingest, containerPort: 8080 }
            - { name: admin, containerPort: 8081 }
          # Not ready: it cannot store just now, or its config was refused; then no request comes in.
          readinessProbe:
            httpGet: { path: /readyz, port: admin }
            periodSeconds: 5
          livenessProbe:
            httpGet: { path: /healthz, port: admin }
            periodSeconds: 10
            failureThreshold: 6
          # A journal of millions is read in seconds; a damaged disk may take longer.
          startupProbe:
            httpGet: { path: /healthz, port: admin }
            periodSeconds: 2
            failureThreshold: 60
          resources:
            # What a calm day needs, and the size that the design counts with.
            requests: { cpu: 250m, memory: {request} }
            limits: { cpu: {cores}, memory: {limit} }
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          volumeMounts:
            # The directory, not the file alone: so a changed ConfigMap reaches a running gateway.
            - { name: config, mountPath: /etc/hookhaven, readOnly: true }
            - { name: data, mountPath: /var/lib/hookhaven }
      volumes:
        - name: config
          configMap: { name: hookhaven }
{volume}";

const SPREAD: &str = "      # Neither all on one machine nor all in one zone.
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: { app: hookhaven, part: {name} }
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: { app: hookhaven, part: {name} }
";

const CLAIM: &str = "  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests: { storage: {disk} }
";

const DISRUPTION: &str = "\
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {name}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: { app: hookhaven, part: {name} }
";

const FRONT: &str = "\
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels: { app: hookhaven }
spec:
  selector: { app: hookhaven, part: {name} }
  ports:
    - { name: ingest, port: 80, targetPort: ingest }
---
# TLS ends here: name your issuer's secret. Only senders' paths lead inside.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: hookhaven
spec:
  tls:
    - hosts: [{host}]
      secretName: hookhaven-tls
  rules:
    - host: {host}
      http:
        paths:
          - path: {path}
            pathType: Prefix
            backend:
              service:
                name: {name}
                port: { name: ingest }
";
