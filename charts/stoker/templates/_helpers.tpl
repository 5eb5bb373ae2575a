{{- /* What the names of all objects begin with. The longest suffix still fits into a label. */}}
{{- define "stoker.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $both | trunc 48 | trimSuffix "-" }}
{{- end }}

{{- define "stoker.operator" -}}
{{ include "stoker.fullname" . }}-operator
{{- end }}

{{- /* The ClusterRole of all sidecars, with the policy that holds them to it. */}}
{{- define "stoker.sidecarRole" -}}
{{ include "stoker.fullname" . }}-sidecar
{{- end }}

{{- define "stoker.labels" -}}
app.kubernetes.io/name: stoker
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: stoker
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What never changes about the operator's pods. */}}
{{- define "stoker.selector" -}}
app.kubernetes.io/name: stoker
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* The full name of an image; takes a list of the root and the image's values. */}}
{{- define "stoker.image" -}}
{{- $root := first . }}
{{- $image := last . }}
{{- $name := printf "%s/%s" $root.Values.image.registry $image.repository }}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{- /* What the strictest Pod Security level asks of a container. */}}
{{- define "stoker.restricted" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}
