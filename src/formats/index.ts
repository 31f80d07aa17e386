export { chooseFormat, FORMAT_NAMES, type FormatName, writeFormat } from "./format.ts";
