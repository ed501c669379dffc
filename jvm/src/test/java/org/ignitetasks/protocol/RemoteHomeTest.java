package org.ignitetasks.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.ignite.Ignite;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.node.TestNodes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Calls of a home by the compute grid, where that home is slow. */
class RemoteHomeTest {
  private static HomeApi home(CountDownLatch goOn, AtomicInteger done) {
    return (HomeApi)
        Proxy.newProxyInstance(
            HomeApi.class.getClassLoader(),
            new Class<?>[] {HomeApi.class},
            (proxy, method, args) -> {
              goOn.await();
              done.incrementAndGet();
              return method.getName().equals("status") ? Map.of("a", 1) : 7;
            });
  }

  @Test
  @Timeout(60)
  void aHomeThatHangsKeepsNobodyForEverAndIsNotInterrupted(@TempDir Path dir) throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    AtomicInteger done = new AtomicInteger();
    try (Ignite ignite = TestNodes.embedded(dir, "remote-home-test")) {
      ignite.cluster().nodeLocalMap().put(HomeJob.LOCAL_KEY, home(goOn, done));
      RemoteHome remote = new RemoteHome(ignite, ignite.cluster().localNode(), 200);
      TasksException e = assertThrows(TasksException.class, remote::status);
      assertEquals(TasksException.Code.UNAVAILABLE, e.code());
      assertTrue(e.getMessage().contains("has not answered for 0.2 s"), e.getMessage());
      Thread waits = new Thread(() -> assertEquals(7, remote.deadRetry(null)));
      waits.start();
      waits.join(400);
      assertTrue(waits.isAlive(), "dead letters may be many: their caller waits");
      goOn.countDown();
      waits.join(20_000);
      assertEquals(Map.of("a", 1), remote.status());
      assertEquals(3, done.get(), "the call whose caller went was not interrupted");
    }
  }
}
