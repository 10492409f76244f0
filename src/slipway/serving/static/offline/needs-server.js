// What Python reads in a way of its own: rather no answer than another one.
export class NeedsServer extends Error {
  constructor() {
    super("is written in a way that only the server reads");
  }
}
