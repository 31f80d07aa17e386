export { checkArgument, type Problem } from "./check.ts";
export {
  asyncIterable,
  bigInteger,
  bytes,
  either,
  fields,
  flag,
  instanceOf,
  iterable,
  type Kind,
  kindOf,
  list,
  Made,
  mapping,
  number,
  oneIn,
  oneOf,
  optional,
  type Required,
  routine,
  text,
  wholeNumber,
  withMethods,
} from "./kinds.ts";
export { instead, nearNames } from "./near.ts";
export { shownValue } from "./shown.ts";
