/**
 * The home of tasks: keeps the order of what waits, leases it to workers under fences, writes what
 * becomes of it, and rebuilds itself from the ledger.
 *
 * <p>The promise is the order of steps: durable first, told afterwards. No lock is held during I/O
 * or a call to another part, {@code QueueState} stays pure, and only {@code RecordStore} speaks to
 * the ledger. User code, sockets and the gateway's formats have no place here.
 *
 * <p>Imports {@code model}, {@code protocol} and {@code ledger}, never {@code worker}.
 */
package org.ignitetasks.home;
