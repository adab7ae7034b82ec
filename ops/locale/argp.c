/* Texts of glibc's argp that --help prints through our catalogue. Read by ops/locale/extract, never compiled. */
_("Usage:");
_(" [OPTION...]");
_("Mandatory or optional arguments to long options are also mandatory or optional for any corresponding short options.");
