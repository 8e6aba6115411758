using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Devices;

/// <summary>Every trainer where the model is: on a device that is not the processor.</summary>
[Collection("Sequential")]
public sealed class DeviceTests(OtherDevice device) : IClassFixture<OtherDevice>
{
    public static TheoryData<string> Trainers => [.. TrainerTable.All.Keys];

    [Fact]
    public void Tensors_OfTwoPlaces_DoNotMeet()
    {
        Assert.NotNull(device);
        using var scope = NewDisposeScope();
        var there = ones(2, 3).to(OtherDevice.Place);
        Assert.Equal(DeviceType.FPGA, there.device_type);
        Assert.Equal([2, 2, 2, 2, 2, 2], (there + there).cpu().data<float>().ToArray());
        Assert.Contains("same device", Assert.ThrowsAny<Exception>(() => there + ones(2, 3)).Message, StringComparison.Ordinal);
    }

    // The same operators of the same processor, but for the order of strides.
    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task Trainers_GiveTheNumbersOfTheProcessor(string name)
    {
        var run = new TrainerRun(2, MicroBatch: 3) { Type = ScalarType.Float64 };
        var expected = await TrainerTable.All[name].Run(run);
        using var place = Toy.On(OtherDevice.Place);
        using (var model = Toy.Model()) Assert.All(model.parameters(), parameter => Assert.Equal(DeviceType.FPGA, parameter.device_type));
        var actual = await TrainerTable.All[name].Run(run);
        foreach (var (here, there) in expected.Reports.Zip(actual.Reports))
            foreach (var (metric, value) in here) Assert.True(Math.Abs(value - there[metric]) < 1e-10, $"{metric} of step {here["step"]} is {there[metric]:R}, expected {value:R}");
        Assert.True(expected.Parameters.Zip(actual.Parameters, (a, b) => Math.Abs(a - b)).Max() < 1e-9);
    }
}
