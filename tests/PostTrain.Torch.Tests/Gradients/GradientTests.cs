using System.Reflection;
using PostTrain.Torch.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Every differentiable operator against central differences in float64.</summary>
[Collection("Sequential")]
public class GradientTests
{
    private const double Step = 1e-5;
    private const double Tolerance = 1e-6;

    private static readonly Dictionary<string, GradientCase> Cases = new IEnumerable<GradientCase>[]
    {
        PointwiseCases.All, ShapeCases.All, ReductionCases.All, SelectionCases.All, MatrixCases.All, LayerCases.All,
    }.SelectMany(cases => cases).ToDictionary(one => one.Name);

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradient_AtOrdinaryPoints_EqualsCentralDifferences(string name)
    {
        using var scope = NewDisposeScope();
        var gradientCase = Cases[name];
        var inputs = gradientCase.MakeInputs();
        foreach (var input in inputs) input.requires_grad = true;
        var result = gradientCase.Function(inputs);
        var weight = new Domain(0.5, 1.5, result.shape).Make(7);
        var gradients = autograd.grad([(result * weight).sum()], inputs, allow_unused: true);
        for (int i = 0; i < inputs.Length; i++)
        {
            var numeric = CentralDifferences(gradientCase, inputs, i, weight);
            var exact = (gradients[i] ?? zeros_like(inputs[i])).data<double>().ToArray();
            for (int j = 0; j < numeric.Length; j++)
                Assert.True(Math.Abs(exact[j] - numeric[j]) <= Tolerance * Math.Max(1, Math.Abs(numeric[j])), $"{name}, input {i}, element {j}: gradient {exact[j]:R}, central difference {numeric[j]:R}");
        }
    }

    [Fact]
    public void Operators_ThatAreDifferentiable_HaveACase()
    {
        var handle = typeof(Operator).GetField("handle", BindingFlags.NonPublic | BindingFlags.Instance)!;
        var operators = typeof(Ops).GetFields(BindingFlags.NonPublic | BindingFlags.Static)
            .Where(field => field.FieldType == typeof(Operator))
            .ToDictionary(field => field.Name, field => (Operator)field.GetValue(null)!);
        Assert.True(operators.Count > 400);
        var inputs = Cases.Values.Select(gradientCase => (Case: gradientCase, Inputs: gradientCase.MakeInputs())).ToArray();
        foreach (var (_, given) in inputs)
            foreach (var input in given) input.requires_grad = true;

        // An operator is looked up at its first call, so those with a handle afterwards are the ones that the cases called.
        foreach (var one in operators.Values) handle.SetValue(one, (nint)0);
        foreach (var (gradientCase, given) in inputs)
        {
            using var scope = NewDisposeScope();
            gradientCase.Function(given);
        }
        var called = operators.Where(one => (nint)handle.GetValue(one.Value)! != 0).Select(one => one.Key).ToHashSet();

        var unknown = NonDifferentiable.Operators.Except(operators.Keys).Order();
        Assert.True(!unknown.Any(), "Listed as not differentiable, but there is no such operator: " + string.Join(" ", unknown));
        var missing = operators.Keys.Except(NonDifferentiable.Operators).Except(called).Order();
        Assert.True(!missing.Any(), "No gradient case calls: " + string.Join(" ", missing));
    }

    private static double[] CentralDifferences(GradientCase gradientCase, Tensor[] inputs, int which, Tensor weight)
    {
        using var mode = no_grad();
        var slopes = new double[inputs[which].NumberOfElements];
        for (int j = 0; j < slopes.Length; j++)
            slopes[j] = (Moved(j, Step) - Moved(j, -Step)) / (2 * Step);
        return slopes;

        double Moved(int element, double step)
        {
            using var scope = NewDisposeScope();
            var moved = inputs.Select(input => input.detach().clone()).ToArray();
            moved[which].data<double>()[element] += step;
            return (gradientCase.Function(moved) * weight).sum().item<double>();
        }
    }
}
