export class Followers {
  constructor(..._a: unknown[]) {}
  async stop() {}
}
