using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.optim.lr_scheduler;

namespace PostTrain.Torch.Tests.Optim;

[Collection("Sequential")]
public class ScheduleTests
{
    private const double Base = 0.8;

    private static readonly Dictionary<string, (Func<optim.Optimizer, LRScheduler> Make, Func<int, double> Rate)> Schedules = new()
    {
        ["step"] = (o => StepLR(o, 3, 0.5), t => Base * Math.Pow(0.5, t / 3)),
        ["multi-step"] = (o => MultiStepLR(o, [2, 5, 5], 0.1), t => Base * (t < 2 ? 1 : t < 5 ? 0.1 : 0.001)),
        ["exponential"] = (o => ExponentialLR(o, 0.9), t => Base * Math.Pow(0.9, t)),
        ["constant"] = (o => ConstantLR(o, 0.25, 4), t => t < 4 ? Base / 4 : Base),
        ["linear"] = (o => LinearLR(o, 0.1, 1, 8), t => Base * (t < 8 ? 0.1 + 0.9 * t / 8 : 1)),
        ["linear-down"] = (o => LinearLR(o, 1, 0.2, 6), t => Base * (t < 6 ? 1 - 0.8 * t / 6 : 0.2)),
        ["polynomial"] = (o => PolynomialLR(o, 7, 2), t => t < 7 ? Base * Math.Pow(1 - t / 7.0, 2) : 0),
        ["cosine"] = (o => CosineAnnealingLR(o, 5, 0.05), t => 0.05 + (Base - 0.05) * (1 + Math.Cos(Math.PI * t / 5)) / 2),
        ["lambda"] = (o => LambdaLR(o, t => 1.0 / (t + 1)), t => Base / (t + 1)),
        ["multiplicative"] = (o => MultiplicativeLR(o, t => 0.5), t => Base * Math.Pow(0.5, t)),
        ["chained"] = (o => ChainedLR([ConstantLR(o, 0.5, 3), ExponentialLR(o, 0.9)]), t => Base * (t < 3 ? 0.5 : 1) * Math.Pow(0.9, t)),
        ["sequential"] = (o => SequentialLR(o, [LinearLR(o, 0.1, 1, 4), CosineAnnealingLR(o, 6)], [4]),
            t => t < 4 ? Base * (0.1 + 0.9 * t / 4) : Base * (1 + Math.Cos(Math.PI * (t - 4) / 6)) / 2),
        ["three in sequence"] = (o => SequentialLR(o, [ConstantLR(o, 0.5, 100), ExponentialLR(o, 0.5), ConstantLR(o, 0.1, 100)], [2, 5]),
            t => t < 2 ? Base * 0.5 : t < 5 ? Base * Math.Pow(0.5, t - 2) : Base * 0.1),
    };

    public static TheoryData<string> Names => [.. Schedules.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Schedule_StepByStep_FollowsItsClosedForm(string name)
    {
        using var parameter = new Parameter(zeros(1));
        using var optimizer = optim.SGD([parameter], Base);
        var (make, rate) = Schedules[name];
        var schedule = make(optimizer);

        for (int t = 0; t < 13; t++)
        {
            Numbers.Same([rate(t)], [optimizer.ParamGroups.Single().LearningRate], 1e-12);
            Assert.Equal(optimizer.ParamGroups.Single().LearningRate, schedule.get_last_lr().Single());
            schedule.step();
        }
    }

    [Theory]
    [InlineData("step")]
    [InlineData("multi-step")]
    [InlineData("exponential")]
    [InlineData("constant")]
    [InlineData("linear")]
    [InlineData("polynomial")]
    [InlineData("cosine")]
    public void Schedule_SentToAStep_ArrivesThere(string name)
    {
        using var parameter = new Parameter(zeros(1));
        using var optimizer = optim.SGD([parameter], Base);
        var (make, rate) = Schedules[name];

        make(optimizer).step(4);

        Numbers.Same([rate(4)], [optimizer.ParamGroups.Single().LearningRate], 1e-12);
    }

    [Fact]
    public void Schedule_OfTwoGroups_KeepsTheirProportion()
    {
        using var a = new Parameter(zeros(1));
        using var b = new Parameter(zeros(1));
        using var optimizer = new SGD([new SGD.ParamGroup([a], new SGD.Options { LearningRate = 1 }), new SGD.ParamGroup { Parameters = [b] }], 0.1);
        var schedule = ExponentialLR(optimizer, 0.5);

        schedule.step();

        Numbers.Same([0.5, 0.05], [.. schedule.get_last_lr()]);
        Assert.Equal([1, 0.1], optimizer.ParamGroups.Select(group => group.InitialLearningRate));
    }

    [Fact]
    public void Schedule_BadArguments_AreRefused()
    {
        using var parameter = new Parameter(zeros(1));
        using var optimizer = optim.SGD([parameter], Base);
        using var other = optim.SGD([parameter], Base);

        Assert.Throws<ArgumentOutOfRangeException>(() => StepLR(optimizer, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LinearLR(optimizer, start_factor: 0));
        Assert.Throws<ArgumentException>(() => SequentialLR(optimizer, [ConstantLR(optimizer)], [3]));
        Assert.Throws<ArgumentException>(() => ChainedLR([]));
        Assert.Throws<ArgumentException>(() => ChainedLR([ConstantLR(optimizer), ConstantLR(other)]));
    }
}
