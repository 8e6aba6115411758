using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Optim;

[Collection("Sequential")]
public class OptimizerTests
{
    [Fact]
    public void Sgd_OfOneNumber_StepsByRateTimesGradient()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 2.0);
        using var optimizer = optim.SGD([parameter], 0.1);

        optimizer.step();
        Numbers.Same([0.8], parameter);
        // Turned round, it goes up by as much.
        using var up = optim.SGD([parameter], 0.1, maximize: true);
        up.step();
        Numbers.Same([1.0], parameter);
    }

    [Fact]
    public void AdamW_FirstStep_IsTheRateTowardsTheSignAndTheDecay()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 4.0);
        using var optimizer = optim.AdamW([parameter], lr: 0.1, weight_decay: 0.5, eps: 0);

        optimizer.step();

        // 1 · (1 - 0.1 · 0.5) - 0.1 · 4/√16.
        Numbers.Same([0.85], parameter);
    }

    [Fact]
    public void Adam_Maximizing_GoesTheOtherWay()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 4.0);
        using var optimizer = optim.Adam([parameter], lr: 0.1, eps: 0, maximize: true);

        optimizer.step();

        Numbers.Same([1.1], parameter);
    }

    // v = 0.75·0 + 0.25·16 = 4, so the step is 0.1·4/2; then v = 3 + 4 = 7, b = 0.5·2 + 4/√7.
    [Fact]
    public void RmsProp_TwoSteps_AreByHand()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 4.0);
        using var optimizer = optim.RMSProp([parameter], lr: 0.1, alpha: 0.75, eps: 0, momentum: 0.5);

        optimizer.step();
        Numbers.Same([0.8], parameter);
        optimizer.step();
        Numbers.Same([0.8 - 0.1 * (1 + 4 / Math.Sqrt(7))], parameter);
    }

    // ḡ = 1 and v = 4 after the first step: v − ḡ² = 3.
    [Fact]
    public void RmsProp_Centered_TakesTheSquareOfTheMeanAway()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 4.0);
        using var optimizer = optim.RMSProp([parameter], lr: 0.1, alpha: 0.75, eps: 0, centered: true, maximize: true);

        optimizer.step();

        Numbers.Same([1 + 0.4 / Math.Sqrt(3)], parameter);
    }

    // s = 7 + 9 = 16, then 25 with the rate halved.
    [Fact]
    public void Adagrad_TwoSteps_AreByHand()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 3.0);
        using var optimizer = optim.Adagrad([parameter], lr: 0.1, lr_decay: 1, initial_accumulator_value: 7, eps: 0);

        optimizer.step();
        Numbers.Same([1 - 0.1 * 3 / 4], parameter);
        optimizer.step();
        Numbers.Same([1 - 0.1 * 3 / 4 - 0.05 * 3 / 5], parameter);
    }

    [Fact]
    public void LoadStateDict_OfRmsPropAndAdagrad_GoesOnFromTheCopy()
    {
        using var scope = NewDisposeScope();
        foreach (var make in new Func<Parameter, optim.Optimizer>[] { parameter => optim.RMSProp([parameter], momentum: 0.5, centered: true), parameter => optim.Adagrad([parameter]) })
        {
            var (first, second) = (Given(1.0, 4.0), Given(1.0, 4.0));
            using OptimizerHelper left = (OptimizerHelper)make(first), right = (OptimizerHelper)make(second);
            left.step();
            right.load_state_dict(left.state_dict());
            Assert.True(right.state_dict().State.Single().ApproximatelyEquals(left.state_dict().State.Single()));
            using (no_grad()) second.copy_(first);
            left.step();
            right.step();
            Numbers.Same([first.ToDouble()], second);
        }
    }

    [Fact]
    public void Step_ParameterWithoutGradient_StaysAndKeepsItsOwnCount()
    {
        using var scope = NewDisposeScope();
        var (first, late) = (Given(1.0, 1.0), new Parameter(Numbers.Real([1.0])));
        using var optimizer = optim.AdamW([first, late], lr: 0.1, eps: 0);

        optimizer.step();
        Numbers.Same([1.0], late);
        late.grad = Numbers.Real([-3.0]);
        optimizer.step();

        // The late one takes its first step: exactly the rate, against the sign.
        Numbers.Same([1.1], late);
        Assert.Equal([2L, 1L], optimizer.state_dict().State.Cast<AdamW.State>().Select(state => state.step));
    }

    [Fact]
    public void ZeroGrad_AfterBackward_LeavesZerosNotNull()
    {
        using var scope = NewDisposeScope();
        var parameter = Given(1.0, 5.0);
        var untouched = new Parameter(ones(1));
        using var optimizer = optim.SGD([parameter, untouched], 0.1);

        optimizer.zero_grad();

        Numbers.Same([0.0], parameter.grad!);
        Assert.Null(untouched.grad);
    }

    [Fact]
    public void Step_WithAClosure_ReturnsItsLossAndUsesItsGradients()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(Numbers.Real([3.0]));
        using var optimizer = optim.SGD([parameter], 0.1);
        using var _ = no_grad();

        var loss = optimizer.step(() =>
        {
            var value = parameter.square().sum();
            value.backward();
            return value;
        });

        Numbers.Same([9.0], loss);
        Numbers.Same([3 - 0.1 * 6], parameter);
    }

    [Fact]
    public void Groups_WithOptionsOfTheirOwn_UseThemAndElseTheDefaults()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Given(1.0, 1.0), Given(1.0, 1.0));
        using var optimizer = new AdamW([new AdamW.ParamGroup([a], new AdamW.Options { LearningRate = 0.5 }), new AdamW.ParamGroup { Parameters = [b] }], lr: 0.25, eps: 0);

        optimizer.step();

        Numbers.Same([0.5], a);
        Numbers.Same([0.75], b);
        Assert.Equal([0.5, 0.25], optimizer.ParamGroups.Select(group => group.LearningRate));
        Assert.Equal((0.9, 0.999), optimizer.Betas);
        Assert.Equal(2, optimizer.parameters().Count());
        Assert.Throws<ArgumentException>(() => optimizer.add_param_group(new AdamW.ParamGroup([a])));
    }

    [Fact]
    public void StateDict_LoadedIntoAFreshOptimiser_ContinuesExactly()
    {
        using var scope = NewDisposeScope();
        foreach (var amsgrad in new[] { false, true })
        {
            var (a, b) = (Given(1.0, 0.7), Given(1.0, 0.7));
            using var one = optim.AdamW([a], 0.1, amsgrad: amsgrad);
            using var two = optim.AdamW([b], 0.3, amsgrad: amsgrad);
            one.step();
            one.step();
            using (no_grad()) b.copy_(a);

            two.load_state_dict(one.state_dict());
            a.grad = Numbers.Real([-0.2]);
            b.grad = Numbers.Real([-0.2]);
            one.step();
            two.step();

            Numbers.Same(a, b, 0);
            Assert.True(one.state_dict().State[0].ApproximatelyEquals(two.state_dict().State[0]));
        }
    }

    [Fact]
    public void StateDict_IsTheLiveState_WithIndices()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Given(1.0, 1.0), Given(2.0, 1.0));
        using var optimizer = new SGD([new SGD.ParamGroup { Parameters = [a] }, new SGD.ParamGroup { Parameters = [b] }], 0.1, momentum: 0.9);
        var state = optimizer.state_dict();

        Assert.Null(((SGD.State)state.State[0]).momentum_buffer);
        optimizer.step();

        Numbers.Same([1.0], ((SGD.State)state.State[1]).momentum_buffer);
        Assert.Equal([[0], [1]], state.StateIndexRef);
        using var other = optim.SGD([a], 0.1);
        Assert.Throws<ArgumentException>(() => other.load_state_dict(state));
        using var adam = optim.Adam([a, b]);
        Assert.Throws<ArgumentException>(() => adam.load_state_dict(state));
    }

    [Fact]
    public void State_MadeInAScope_OutlivesIt()
    {
        using var parameter = Given(1.0, 1.0);
        AdamW optimizer;
        using (NewDisposeScope()) optimizer = optim.AdamW([parameter], 0.1);
        using (NewDisposeScope()) optimizer.step();
        using (NewDisposeScope()) optimizer.step();

        var state = (AdamW.State)optimizer.state_dict().State[0];
        Assert.False(state.exp_avg.IsInvalid);
        optimizer.Dispose();
        Assert.True(state.exp_avg.IsInvalid);
        Assert.False(parameter.IsInvalid);
    }

    [Fact]
    public void Step_AfterTheModelWasMoved_Fails()
    {
        using var linear = nn.Linear(1, 1);
        using var optimizer = optim.AdamW(linear.parameters(), 0.1);
        linear.to(float64);

        Assert.Throws<InvalidOperationException>(() => optimizer.step());
    }

    [Theory]
    [InlineData(-1, 0.9, 0.999)]
    [InlineData(0.1, 1.0, 0.999)]
    [InlineData(0.1, 0.9, -0.1)]
    public void Settings_OutOfRange_AreRefused(double rate, double beta1, double beta2)
    {
        using var parameter = new Parameter(ones(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => optim.AdamW([parameter], rate, beta1, beta2));
        Assert.Throws<ArgumentException>(() => optim.SGD([parameter], 0.1, nesterov: true));
    }

    [Fact]
    public void ClipGradNorm_OfThreeAndFour_ScalesToTheLimit()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Given(0.0, 3.0), Given(0.0, 4.0));

        Assert.Equal(5.0, nn.utils.clip_grad_norm_([a, b], 1.0), 12);

        Numbers.Same([3 / 5.000001], a.grad!, 1e-12);
        Numbers.Same([4 / 5.000001], b.grad!, 1e-12);
        // Within the limit nothing changes.
        nn.utils.clip_grad_norm_([a, b], 2.0);
        Numbers.Same([3 / 5.000001], a.grad!, 1e-12);
        Assert.Equal(0, nn.utils.clip_grad_norm_([new Parameter(ones(1))], 1.0));
        Assert.Equal(1.4, nn.utils.clip_grad_norm_([a, b], 100, norm_type: 1), 5);
    }

    [Fact]
    public void ClipGradNorm_WithNaN_DoesNotHideIt()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Given(0.0, double.NaN), Given(0.0, 4.0));

        Assert.Equal(double.NaN, nn.utils.clip_grad_norm_([a, b], 1.0));
        Numbers.Same([double.NaN], b.grad!);
    }

    [Fact]
    public void ClipGradValue_LimitsEveryElement()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(zeros(3, float64)) { grad = Numbers.Real([-3, 0.5, 2]) };

        nn.utils.clip_grad_value_([parameter], 1.5);

        Numbers.Same([-1.5, 0.5, 1.5], parameter.grad!);
    }

    [Fact]
    public void ParametersToVector_AndBack_IsTheIdentity()
    {
        using var scope = NewDisposeScope();
        Parameter[] parameters = [new(Numbers.Spread(0, 2, 3)), new(Numbers.Spread(1, 4))];
        var before = parameters.Select(Numbers.Of).ToArray();
        using var vector = nn.utils.parameters_to_vector(parameters).detach();

        nn.utils.vector_to_parameters(vector * 2, parameters);

        Assert.Equal([10L], vector.shape);
        Numbers.Same([.. before[1].Select(value => 2 * value)], parameters[1]);
        Assert.Throws<ArgumentException>(() => nn.utils.vector_to_parameters(ones(9), parameters));
    }

    private static Parameter Given(double value, double gradient) => new(Numbers.Real([value])) { grad = Numbers.Real([gradient]) };
}
