using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Devices;

/// <summary>Every trainer where the model is: on a device that is not the processor.</summary>
/// <remarks>In a process of its own, as libtorch's backward pass counts the devices once, when it is first used.</remarks>
[Collection("Sequential")]
public sealed class DeviceTests
{
    private const string Inside = "POSTTRAIN_OTHER_DEVICE";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    [Fact]
    public async Task Trainers_GiveTheNumbersOfTheProcessor()
    {
        if (Environment.GetEnvironmentVariable(Inside) is not null)
        {
            await CompareAsync();
            return;
        }
        var (code, output, errors) = DotnetCommand.Start(AppContext.BaseDirectory, Limit, new Dictionary<string, string> { [Inside] = "1", ["DOTNET_NOLOGO"] = "1" },
            "test", Path.Combine(AppContext.BaseDirectory, "PostTrain.Tests.dll"), "--filter", $"FullyQualifiedName~{nameof(DeviceTests)}");
        Assert.True(code == 0 && output.Contains("Passed:     1", StringComparison.Ordinal), $"{output}\n{errors}");
    }

    // The same operators of the same processor, but for the order of strides.
    private static async Task CompareAsync()
    {
        using var device = new OtherDevice();
        TensorsOfTwoPlacesDoNotMeet();
        var wrong = new List<string>();
        foreach (var (name, trainer) in TrainerTable.All)
        {
            var run = new TrainerRun(2, MicroBatch: 3) { Type = ScalarType.Float64 };
            var expected = await trainer.Run(run);
            using var place = Toy.On(OtherDevice.Place);
            using (var model = Toy.Model()) Assert.All(model.parameters(), parameter => Assert.Equal(DeviceType.FPGA, parameter.device_type));
            var actual = await trainer.Run(run);
            foreach (var (here, there) in expected.Reports.Zip(actual.Reports))
                foreach (var (metric, value) in here)
                    if (!(Math.Abs(value - there[metric]) < 1e-10)) wrong.Add($"{name}: {metric} of step {here["step"]} is {there[metric]:R}, expected {value:R}");
            if (!(expected.Parameters.Zip(actual.Parameters, (a, b) => Math.Abs(a - b)).Max() < 1e-9)) wrong.Add($"{name}: the weights differ");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static void TensorsOfTwoPlacesDoNotMeet()
    {
        using var scope = NewDisposeScope();
        var there = ones(2, 3).to(OtherDevice.Place);
        Assert.Equal([2, 2, 2, 2, 2, 2], (there + there).cpu().data<float>().ToArray());
        Assert.Contains("same device", Assert.ThrowsAny<Exception>(() => there + ones(2, 3)).Message, StringComparison.Ordinal);
    }
}
