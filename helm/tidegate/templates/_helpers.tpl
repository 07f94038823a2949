{{- define "tidegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidegate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "tidegate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tidegate.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tidegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tidegate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false: name the account in serviceAccount.name" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* What the controller may do in the namespaces it watches. Each rule says what it is for. */ -}}
{{- define "tidegate.rules" -}}
# Reads what is wanted; never writes a spec.
- apiGroups: [tidegate.dev]
  resources: [modelrollouts, rolloutrequests]
  verbs: [get, list, watch]
- apiGroups: [tidegate.dev]
  resources: [slotemplates]
  verbs: [list, watch]
# Says where each rollout stands, and what became of a request.
- apiGroups: [tidegate.dev]
  resources: [modelrollouts/status, rolloutrequests/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Takes away requests that were answered long ago: what was asked stays in the journal.
- apiGroups: [tidegate.dev]
  resources: [rolloutrequests]
  verbs: [delete]
{{- if .Values.routers.gatewayAPI }}
# Moves traffic: its own entries in the HTTPRoutes that rollouts name.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, patch]
# Is a version there, and how many of its endpoints are ready?
- apiGroups: [""]
  resources: [services]
  verbs: [get, list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- if .Values.scale.enabled }}
# Brings versions up and down, by their scale alone.
{{- range .Values.scale.resources }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ printf "%s/scale" .resource }}]
  verbs: [get, patch]
{{- end }}
{{- end }}
{{- end -}}
