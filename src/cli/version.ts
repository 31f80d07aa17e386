/** The bundler puts the version of package.json in its place: a bundle that is moved has no such file. */
declare const DISKWRIGHT_VERSION: string;

/** The version of the program. */
export const VERSION: string = DISKWRIGHT_VERSION;
