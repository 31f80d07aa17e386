export { nameMatcher, pathMatcher } from "./paths.ts";
