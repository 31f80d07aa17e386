// buffer-layout 1.2.2 ships no types. Only what record.ts stands on is declared.
declare module "buffer-layout" {
  export class Layout<Value> {
    constructor(span: number, property?: string);
    readonly span: number;
    readonly property?: string;
    decode(bytes: Uint8Array, offset?: number): Value;
    encode(value: Value, bytes: Uint8Array, offset?: number): number;
    replicate(property: string): Layout<Value>;
  }
  export class Structure extends Layout<Record<string, unknown>> {
    constructor(fields: readonly Layout<unknown>[], property?: string);
    offsetOf(property: string): number | undefined;
  }
  const bufferLayout: {
    readonly Layout: typeof Layout;
    readonly Structure: typeof Structure;
  };
  export default bufferLayout;
}
