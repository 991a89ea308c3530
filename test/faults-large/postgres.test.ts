// The faults of test/postgres with large counts: more kills, more broken lines, more crashes of the server.

process.env.INDELIBLE_LARGE_FAULTS = '1';
await import('../postgres/faults.test.ts');
await import('../postgres/delivery.test.ts');
await import('../postgres/partition.test.ts');
await import('../postgres/failover.test.ts');
