// Tools in JavaScript. An instance lives for one call, and arguments have been checked against the schemas when they come.

const TOOLS = [
  {
    name: 'reverse',
    description: 'Reverses a text.',
    inputSchema: JSON.stringify({
      type: 'object',
      properties: { text: { type: 'string' } },
      required: ['text'],
    }),
    icons: [],
    needsTasks: false,
  },
];

export const tools = {
  async listTools() {
    return TOOLS;
  },

  // What is thrown has to be a failure: { tag: 'invalid', val: '..' } or { tag: 'broken', val: '..' }.
  async callTool(name, args, input, caller) {
    if (name !== 'reverse') return { tag: 'not-mine' };
    const { text } = JSON.parse(args);
    return done([...text].reverse().join(''));
  },
};

function done(text) {
  return {
    tag: 'done',
    val: { content: [{ block: { tag: 'text', val: text } }], isError: false },
  };
}
