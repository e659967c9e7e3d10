/** Loaded first into each program that a launcher starts: when the launcher is gone, however it went, the program ends too. */
process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref(); // listening for that keeps nothing alive
