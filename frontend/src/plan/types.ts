// SPDX-License-Identifier: Apache-2.0
// What the task types that come with Plankton take. Other types have free parameters.

export type FieldKind = "text" | "script" | "duration";
export interface TypeField {
  name: string;
  label: string;
  kind: FieldKind;
  hint: string;
  required: boolean;
  placeholder: string;
}
export interface TaskType {
  says: string;
  fields: TypeField[];
}

export const BUILT_IN: Record<string, TaskType> = {
  hello: {
    says: "Greets and gives the greeting as its result.",
    fields: [{ name: "name", label: "Name", kind: "text", hint: "Who is greeted. Empty: World.", required: false, placeholder: "World" }],
  },
  shell: {
    says: "Runs a script with /bin/sh; its output becomes the log, a file written to $PLANKTON_OUTPUT the result.",
    fields: [{ name: "script", label: "Script", kind: "script", hint: "", required: true, placeholder: "echo working" }],
  },
  sleep: {
    says: "Waits.",
    fields: [{ name: "duration", label: "Duration", kind: "duration", hint: "E.g. 500ms, 2s, 5m.", required: true, placeholder: "2s" }],
  },
  noop: { says: "Does nothing; gives its parameters back as the result.", fields: [] },
};
