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

    // One at a time, parts that do not divide the batch, and a part larger than it. Gradient descent, and not Adam, whose first steps
    // divide small gradients by themselves: then rounding is all that differs, in the gradients of every update, the losses and metrics of
    // every step, and the weights. Everything is compared absolutely: no gradient here is above 1 (clipping), and no number so large that
    // its rounding alone would reach the bound. The largest differences of gradients are about 1e-15.
    [Theory]
    [MemberData(nameof(TrainersAndVariants))]
    public async Task MicroBatches_ChangeNothing(string name)
    {
        const double bound = 1e-12;
        var trainer = TrainerTable.All.GetValueOrDefault(name) ?? TrainerVariants.All[name];
        var run = new TrainerRun(3) { Type = ScalarType.Float64 };
        var expectedGradients = new RecordedGradients();
        var expected = await trainer.Run(run with { Optimizer = expectedGradients.Optimizer });
        Assert.True(expected.Reports.Max(report => report["grad_norm"]) > 1e-3);
        Assert.True(expectedGradients.Updates.Count >= run.Steps);
        foreach (int size in new[] { 1, 2, 3, 4, 100 })
        {
            var gradients = new RecordedGradients();
            var actual = await trainer.Run(run with { MicroBatch = size, Optimizer = gradients.Optimizer });
            Assert.Equal(expectedGradients.Updates.Count, gradients.Updates.Count);
            foreach (var (update, (whole, parts)) in expectedGradients.Updates.Zip(gradients.Updates).Index())
                Near(whole, parts, $"the gradients of update {update} with parts of {size}");
            Near(expected.Parameters, actual.Parameters, $"the weights with parts of {size}");
            foreach (var (whole, parts) in expected.Reports.Zip(actual.Reports))
            {
                Assert.Equal(whole.Keys.Order(StringComparer.Ordinal), parts.Keys.Order(StringComparer.Ordinal));
                foreach (var (metric, value) in whole)
                    Assert.True(
                        Math.Abs(value - parts[metric]) < bound,
                        $"{metric} of step {whole["step"]} is {parts[metric]:R} with parts of {size}, {value:R} with the whole"
                    );
            }
        }

        void Near(double[] whole, double[] parts, string what)
        {
            Assert.Equal(whole.Length, parts.Length);
            double apart = whole.Zip(parts, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(apart < bound, $"{what} are {apart} from those of the whole batch");
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
