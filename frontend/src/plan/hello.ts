// SPDX-License-Identifier: Apache-2.0
// The plan that shows a new user what a plan is: it takes a few seconds, says something, and branches.
export const HELLO_NAME = "hello";

export const HELLO_PLAN = {
  name: HELLO_NAME,
  description: "A first plan: greets, works on two things at once, and sums up.",
  input: { type: "object", properties: { name: { type: "string", default: "World", description: "Who is greeted" } } },
  steps: [
    { id: "greet", task: "hello", parameters: { name: "${{ input.name }}" } },
    {
      id: "count",
      task: "shell",
      needs: ["greet"],
      parameters: { script: 'for i in 1 2 3 4 5; do\n  echo "counting $i of 5"\n  sleep 0.4\ndone' },
    },
    { id: "rest", task: "sleep", needs: ["greet"], parameters: { duration: "1s" } },
    {
      id: "finish",
      task: "shell",
      needs: ["count", "rest"],
      parameters: { script: 'echo "all done on $(uname -s)"\necho \'{"done": true}\' > "$PLANKTON_OUTPUT"' },
    },
  ],
};
