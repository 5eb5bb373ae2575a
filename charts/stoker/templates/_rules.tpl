{{- /* What the operator may do in each namespace that it looks after. Nothing here is for comfort: a
test takes each rule away and sees what breaks. */}}
{{- define "stoker.rules" -}}
- apiGroups: [stoker.dev]
  resources: [llmdeployments]
  verbs: [get, list, watch]
- apiGroups: [stoker.dev]
  resources: [llmdeployments/status]
  verbs: [patch]
# What an LLMDeployment becomes. What its spec can ask for, and then no longer, is deleted.
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [create, get, list, patch, watch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, patch, watch]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete, get, list, patch, watch]
{{- if .Values.networkPolicy.enabled }}
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, get, list, patch, watch]
{{- end }}
{{- if .Values.podMonitor.enabled }}
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [create, get, list, patch, watch]
{{- end }}
# What its pods may do: they get this one ClusterRole, and no other can be given to anybody.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [create, get, list, patch, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [{{ include "stoker.sidecarRole" . }}]
  verbs: [bind]
# What becomes of it.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
