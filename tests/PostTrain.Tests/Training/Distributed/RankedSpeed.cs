using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>The times that the efficiency of several ranks follows from: sums of gradients by their size, steps by their parts. A program
/// of a rank of <c>mpirun</c>, or of one process.</summary>
internal static class RankedSpeed
{
    internal const string Command = "ranks-speed";
    private const int Repeats = 15;

    internal static int Run()
    {
        var ranks = MpiCollectives.OfLauncher();
        set_num_threads(1);
        Tell(ranks, $"ranks {ranks?.Size ?? 1}");
        if (ranks is not null)
            foreach (int power in new[] { 10, 14, 18, 20, 22, 24 })
            {
                using var values = ones(1L << power);
                Tell(ranks, $"all-reduce of 2^{power} float32: {Times(() => ranks.AllReduce(values), ranks)}");
            }
        if (ranks is not null)
            Tell(ranks, $"exchange of 16 bytes: {Times(() => ranks.Exchange(new byte[16], TimeSpan.FromMinutes(1)), ranks)}");
        foreach (int batch in new[] { 8, 16, 32 })
            Step(ranks, batch);
        return 0;
    }

    // A step of supervised fine-tuning, of a decoder of about 3.4 million weights on rows of 65 tokens.
    private static void Step(MpiCollectives? ranks, int batch)
    {
        using var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Toy.Tokenizer.VocabularySize,
                ContextLength = 64,
                HiddenSize = 256,
                Layers = 4,
                Heads = 4,
                FeedForwardSize = 768,
            },
            seed: 1
        );
        Demonstration[] data =
        [
            .. Enumerable.Range(0, 64).Select(i => new Demonstration($"{i % 10}=", new string((char)('a' + i % 6), 62))),
        ];
        using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = Repeats + 3, BatchSize = batch });
        var watch = Stopwatch.StartNew();
        var times = new List<double>();
        foreach (var report in trainer.Run(data))
        {
            if (report.Step > 3)
                times.Add(watch.Elapsed.TotalMilliseconds);
            watch.Restart();
        }
        long weights = model.parameters().Sum(parameter => parameter.NumberOfElements);
        Tell(ranks, $"step of {batch} rows, {weights} weights: {Text(times)}");
    }

    private static string Times(Action action, MpiCollectives ranks)
    {
        var times = new List<double>();
        for (int i = 0; i < Repeats + 3; i++)
        {
            ranks.Exchange([], TimeSpan.FromMinutes(1));
            var watch = Stopwatch.StartNew();
            action();
            if (i >= 3)
                times.Add(watch.Elapsed.TotalMilliseconds);
        }
        return Text(times);
    }

    private static string Text(List<double> times)
    {
        times.Sort();
        return FormattableString.Invariant(
            $"{times[times.Count / 2]:0.####} ms (quartiles {times[times.Count / 4]:0.####} to {times[3 * times.Count / 4]:0.####})"
        );
    }

    private static void Tell(MpiCollectives? ranks, string line)
    {
        if (ranks is null or { Rank: 0 })
            Console.WriteLine(line);
    }
}
