using PostTrain.Training;

namespace PostTrain.Tests.Training;

public sealed class MetricsLogTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("posttrain-").FullName;

    private string LogPath => Path.Combine(directory, "metrics.jsonl");

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private static StepReport At(long step, double loss = 0.5, params (string Name, double Value)[] metrics) =>
        new(step, loss, metrics.ToDictionary(m => m.Name, m => m.Value), TimeSpan.FromTicks(1_234_567 * step));

    private void WriteSteps(int count)
    {
        using var log = MetricsLog.Open(LogPath);
        for (var step = 1; step <= count; step++)
            log.Report(At(step, 1.0 / step));
    }

    private long[] Steps() => [.. MetricsLog.Read(LogPath).Select(r => r.Step)];

    [Fact]
    public void Report_OneStep_IsOneLineOfFlatJson()
    {
        using (var log = MetricsLog.Open(LogPath))
            log.Report(
                new StepReport(
                    3,
                    0.5,
                    new Dictionary<string, double>
                    {
                        ["reward/mean"] = 0.25,
                        ["kl"] = double.NaN,
                        ["loss"] = 9,
                    },
                    TimeSpan.FromSeconds(1.5)
                )
            );

        Assert.Equal("{\"step\":3,\"loss\":0.5,\"elapsed_seconds\":1.5,\"reward/mean\":0.25,\"kl\":\"NaN\"}\n", File.ReadAllText(LogPath));
    }

    [Fact]
    public void Read_WhatWasReported_ComesBackBitForBit()
    {
        var written = new[]
        {
            At(1, double.PositiveInfinity, ("tiny", double.Epsilon), ("third", 1.0 / 3), ("minus zero", -0.0)),
            At(2, double.NaN, ("huge", -double.MaxValue), ("low", double.NegativeInfinity), ("näme \"quoted\"\n", 1e-5)),
            At(999_999_937, 0.1 + 0.2),
        };
        using (var log = MetricsLog.Open(LogPath))
        {
            foreach (var report in written)
                log.Report(report);
        }

        var read = MetricsLog.Read(LogPath);

        Assert.Equal(written.Length, read.Count);
        foreach (var (expected, actual) in written.Zip(read))
        {
            Assert.Equal(expected.Step, actual.Step);
            Assert.Equal(BitConverter.DoubleToInt64Bits(expected.Loss), BitConverter.DoubleToInt64Bits(actual.Loss));
            Assert.Equal(expected.Elapsed, actual.Elapsed);
            Assert.Equal(expected.Metrics.Keys, actual.Metrics.Keys);
            Assert.Equal(
                expected.Metrics.Values.Select(BitConverter.DoubleToInt64Bits),
                actual.Metrics.Values.Select(BitConverter.DoubleToInt64Bits)
            );
        }
    }

    [Fact]
    public void Report_EachLine_CanBeReadWhileTheLogIsOpen()
    {
        using var log = MetricsLog.Open(LogPath);
        log.Report(At(1));
        Assert.Equal([1L], Steps());
        log.Report(At(2));
        Assert.Equal([1L, 2L], Steps());
    }

    [Fact]
    public void Open_WithoutAStep_StartsANewLog()
    {
        WriteSteps(5);
        MetricsLog.Open(LogPath).Dispose();
        Assert.Empty(Steps());
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 3)]
    [InlineData(5, 5)]
    [InlineData(100, 5)]
    public void Open_ResumeAfterAStep_DropsWhatCameLater(long after, int kept)
    {
        WriteSteps(5);

        using (var log = MetricsLog.Open(LogPath, after))
            log.Report(At(after + 1));

        Assert.Equal([.. Enumerable.Range(1, kept).Select(i => (long)i), after + 1], Steps());
    }

    [Fact]
    public void Open_ResumedRun_GivesTheBytesOfAnUninterruptedOne()
    {
        WriteSteps(6);
        var whole = File.ReadAllBytes(LogPath);

        using (var log = MetricsLog.Open(LogPath, resumeAfterStep: 4))
        {
            log.Report(At(5, 1.0 / 5));
            log.Report(At(6, 1.0 / 6));
        }

        Assert.Equal(whole, File.ReadAllBytes(LogPath));
    }

    [Theory]
    [InlineData("{\"step\":6,\"lo")]
    [InlineData("{")]
    [InlineData("{\"step\":6,\"loss\":0.5,\"elapsed_seconds\":1")]
    public void Open_LastLineIsTorn_ItIsDroppedAndTheNextStartsItsOwnLine(string torn)
    {
        WriteSteps(5);
        File.AppendAllText(LogPath, torn);
        Assert.Equal([1L, 2, 3, 4, 5], Steps());

        using (var log = MetricsLog.Open(LogPath, resumeAfterStep: 5))
            log.Report(At(6));

        Assert.Equal([1L, 2, 3, 4, 5, 6], Steps());
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[1]")]
    [InlineData("{\"step\":1.5,\"loss\":1,\"elapsed_seconds\":1}")]
    [InlineData("{\"step\":1,\"elapsed_seconds\":1}")]
    [InlineData("{\"step\":1,\"loss\":\"much\",\"elapsed_seconds\":1}")]
    [InlineData("{\"step\":1,\"loss\":1,\"elapsed_seconds\":\"NaN\"}")]
    [InlineData("{\"step\":1,\"loss\":1,\"elapsed_seconds\":1,\"kl\":null}")]
    public void Open_ABrokenLineInTheMiddle_IsNamedAndTheFileStays(string broken)
    {
        WriteSteps(1);
        File.AppendAllText(LogPath, broken + "\n{\"step\":3,\"loss\":1,\"elapsed_seconds\":1}\n");
        var before = File.ReadAllBytes(LogPath);

        var thrown = Assert.Throws<InvalidDataException>(() => MetricsLog.Open(LogPath, resumeAfterStep: 3));

        Assert.Contains($"{LogPath}, line 2:", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(LogPath));
    }

    [Fact]
    public void Read_ALineWithoutEnd_IsRefusedInBoundedMemory()
    {
        File.WriteAllText(LogPath, new string(' ', 3_000_000) + "x");
        Assert.Contains(
            "longer than",
            Assert.Throws<InvalidDataException>(() => MetricsLog.Read(LogPath)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Read_LinesLongerThanTheBuffer_AreWhole()
    {
        var wide = Enumerable.Range(0, 3000).Select(i => ($"metric {i}", (double)i)).ToArray();
        using (var log = MetricsLog.Open(LogPath))
        {
            log.Report(At(1, 0.5, wide));
            log.Report(At(2));
        }

        var read = MetricsLog.Read(LogPath);

        Assert.Equal(3000, read[0].Metrics.Count);
        Assert.Equal(2999.0, read[0].Metrics["metric 2999"]);
        Assert.Equal(2, read[1].Step);
    }

    [Fact]
    public void Report_AfterDispose_Throws()
    {
        var log = MetricsLog.Open(LogPath);
        log.Dispose();
        log.Dispose();
        Assert.Throws<ObjectDisposedException>(() => log.Report(At(1)));
    }

    [Fact]
    public void Report_FromManyThreads_WritesWholeLines()
    {
        using (var log = MetricsLog.Open(LogPath))
            Parallel.For(1, 201, step => log.Report(At(step)));
        Assert.Equal(Enumerable.Range(1, 200).Select(i => (long)i), Steps().Order());
    }
}
