/* Texts of glibc's argp that --help prints through our catalogue. Read by ops/locale/extract, never compiled. */
_("Usage:");
_(" [OPTION...]");
