using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Devices;

/// <summary>Every trainer where the model is: on a device that is not the processor.</summary>
[Collection("Sequential")]
public sealed class DeviceTests
{
    // Sums run in another order there.
    private const double Rounding = 1e-8;

    [CudaFact]
    public async Task Trainers_GiveTheNumbersOfTheProcessor()
    {
        var wrong = new List<string>();
        foreach (var (name, trainer) in TrainerTable.All)
        {
            var run = new TrainerRun(2, MicroBatch: 3) { Type = ScalarType.Float64 };
            var expected = await trainer.Run(run);
            using var place = Toy.On(CUDA);
            using (var model = Toy.Model())
                Assert.All(model.parameters(), parameter => Assert.Equal(DeviceType.CUDA, parameter.device_type));
            var actual = await trainer.Run(run);
            foreach (var (here, there) in expected.Reports.Zip(actual.Reports))
            foreach (var (metric, value) in here)
                if (!(Math.Abs(value - there[metric]) < Rounding))
                    wrong.Add($"{name}: {metric} of step {here["step"]} is {there[metric]:R}, expected {value:R}");
            if (!(expected.Parameters.Zip(actual.Parameters, (a, b) => Math.Abs(a - b)).Max() < Rounding))
                wrong.Add($"{name}: the weights differ");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
