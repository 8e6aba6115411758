using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests;

/// <summary>Training that goes on for long must not grow.</summary>
[Collection("Sequential")]
public class LeakTests
{
    [Fact]
    public void TenThousandTrainingSteps_LeaveTensorsAndMemoryWhereTheyWere()
    {
        // One thread: with operators this small, threads that wait for each other on a busy machine cost far more than they save.
        int threads = get_num_threads();
        set_num_threads(1);
        try
        {
            Train();
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void TrainingStep_OutsideOfScopes_LeavesWhatTheCallerHolds()
    {
        using var linear = nn.Linear(4, 4);
        using var optimizer = optim.SGD(linear.parameters(), 0.1, momentum: 0.9);
        using var input = ones(2, 4);
        void Step()
        {
            using var output = linear.call(input);
            using var loss = output.sum();
            loss.backward();
            optimizer.step();
            optimizer.zero_grad();
        }
        Step();
        long before = Numbers.LiveTensors();

        for (int i = 0; i < 100; i++) Step();

        Assert.Equal(before, Numbers.LiveTensors());
    }

    private static void Train()
    {
        manual_seed(1);
        using var net = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.LayerNorm(32), nn.Dropout(0.1), nn.Linear(32, 4));
        using var optimizer = optim.AdamW(net.parameters(), 1e-3, weight_decay: 0.01);
        var schedule = optim.lr_scheduler.LinearLR(optimizer);
        using var inputs = randn(32, 16);
        using var targets = randint(0, 4, new long[] { 32 });
        double first = 0, last = 0;
        long tensors = 0, memory = 0, objects = 0;

        for (int step = 1; step <= 10_000; step++)
        {
            using (NewDisposeScope())
            {
                var loss = nn.functional.cross_entropy(net.call(inputs), targets);
                optimizer.zero_grad();
                loss.backward();
                nn.utils.clip_grad_norm_(net.parameters(), 1.0);
                optimizer.step();
                schedule.step();
                if (step is 1 or 10_000) (first, last) = (last, loss.ToDouble());
            }
            if (step == 2_000) (tensors, memory, objects) = (Numbers.LiveTensors(), ResidentMemory(), GC.GetTotalMemory(true));
        }

        Assert.Equal(tensors, Numbers.LiveTensors());
        Assert.InRange(ResidentMemory() / (double)memory, 0.98, 1.02);
        Assert.InRange(GC.GetTotalMemory(true) - objects, -1_000_000, 1_000_000);
        Assert.True(last < first / 2, $"loss {first} to {last}: nothing was learnt");
    }

    // Without what the garbage collector holds for itself, which grows and shrinks as it likes; what is alive on the managed heap is compared apart.
    private static long ResidentMemory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        long managed = GC.GetGCMemoryInfo().TotalCommittedBytes;
        if (!OperatingSystem.IsLinux())
        {
            using var process = Process.GetCurrentProcess();
            return process.WorkingSet64 - managed;
        }
        var pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, CultureInfo.InvariantCulture) * Environment.SystemPageSize - managed;
    }
}
