using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>What holds for every trainer: the parts that a batch is worked on in change nothing, and a resumed run is the whole
/// run.</summary>
[Collection("Sequential")]
public sealed class TrainerLawsTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Trainers => [.. TrainerTable.All.Keys];

    public static TheoryData<string> TrainersAndVariants => [.. TrainerTable.All.Keys, .. TrainerVariants.All.Keys];

    public void Dispose() => directory.Dispose();

    // One at a time, parts that do not divide the batch, and a part larger than it. Adam's first steps divide small gradients by
    // themselves: weights differ more than numbers.
    [Theory]
    [MemberData(nameof(TrainersAndVariants))]
    public async Task MicroBatches_ChangeNothing(string name)
    {
        var trainer = TrainerTable.All.GetValueOrDefault(name) ?? TrainerVariants.All[name];
        var run = new TrainerRun(3) { Type = ScalarType.Float64 };
        var expected = await trainer.Run(run);
        Assert.True(expected.Reports.Max(report => report["grad_norm"]) > 1e-3);
        foreach (int size in new[] { 1, 2, 3, 4, 100 })
        {
            var actual = await trainer.Run(run with { MicroBatch = size });
            foreach (var (whole, parts) in expected.Reports.Zip(actual.Reports))
            {
                Assert.Equal(whole.Keys.Order(StringComparer.Ordinal), parts.Keys.Order(StringComparer.Ordinal));
                foreach (var (metric, value) in whole)
                    Assert.True(
                        Math.Abs(value - parts[metric]) < 1e-12 * (1 + Math.Abs(value)),
                        $"{metric} of step {whole["step"]} is {parts[metric]:R} with parts of {size}, {value:R} with the whole"
                    );
            }
            double apart = expected.Parameters.Zip(actual.Parameters, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(apart < 1e-10, $"with parts of {size} the weights are {apart} apart");
        }
    }

    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task Resume_GivesTheBitsOfTheWholeRun(string name)
    {
        var trainer = TrainerTable.All[name];
        var run = new TrainerRun(2 * TrainerRun.CheckpointEvery, Directory: directory.File("whole"));
        var whole = await trainer.Run(run);
        Assert.True(whole.Reports.Max(report => report["grad_norm"]) > 1e-3);
        // From other weights, where a trainer trains them all.
        var rest = await trainer.Run(
            run with
            {
                Directory = directory.File("rest"),
                Resume = directory.File("whole/checkpoint-00000006"),
                Seed = 9,
            }
        );
        Assert.Equal(whole.Reports[TrainerRun.CheckpointEvery..], rest.Reports);
        Assert.Equal(whole.Bytes, rest.Bytes);
        // Weights, moments, the generator's state and what the trainer keeps, byte by byte.
        string[] Files(string which) =>
            [.. Directory.GetFiles(directory.File($"{which}/checkpoint-00000012"), "*.safetensors").Order(StringComparer.Ordinal)];
        Assert.Equal(Files("whole").Select(Path.GetFileName), Files("rest").Select(Path.GetFileName));
        Assert.True(Files("whole").Length >= 2);
        foreach (var (a, b) in Files("whole").Zip(Files("rest")))
            Assert.Equal(await File.ReadAllBytesAsync(a), await File.ReadAllBytesAsync(b));
    }
}
