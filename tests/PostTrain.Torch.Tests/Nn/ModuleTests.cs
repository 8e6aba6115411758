using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Nn;

[Collection("Sequential")]
public class ModuleTests
{
    private sealed class Block : nn.Module<Tensor, Tensor>
    {
#pragma warning disable IDE1006 // Names of components keep the underscore of the field.
        private readonly Linear _inner = nn.Linear(2, 3, dtype: float64);
#pragma warning restore IDE1006
        [ComponentName(Name = "renamed")] private readonly Parameter scale = new(ones(3, float64));
        private readonly Tensor table = zeros(2, float64);
        private readonly List<nn.Module> ignored = [nn.Linear(1, 1)];

        internal Block() : base(nameof(Block)) => RegisterComponents();

        internal Parameter Automatic { get; } = new(ones(1, float64));
        internal Parameter Scale => scale;
        internal Tensor Table => table;
        internal int Ignored => ignored.Count;

        public override Tensor forward(Tensor input) => _inner.call(input) * scale;
    }

    private class Root : nn.Module<Tensor, Tensor>
    {
        private readonly ModuleList<Block> layers = new(new Block(), new Block());
        private readonly Parameter own = new(ones(1, float64));

        internal Root() : base(nameof(Root)) => RegisterComponents();

        internal Parameter Own => own;
        internal ModuleList<Block> Layers => layers;

        public override Tensor forward(Tensor input) => layers[0].call(input) * own;
    }

    private sealed class Derived : Root
    {
        private readonly Parameter more = new(ones(1, float64));

        internal Derived() => RegisterComponents();

        internal Parameter More => more;
    }

    private sealed class Forgetful : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter lost = new(ones(1));

        internal Forgetful() : base(nameof(Forgetful)) { }

        public override Tensor forward(Tensor input) => input * lost;
    }

    [Fact]
    public void RegisterComponents_OfFields_NamesThemAsTheFields()
    {
        using var block = new Block();

        Assert.Equal(["renamed", "<Automatic>k__BackingField", "_inner.weight", "_inner.bias"], block.named_parameters().Select(entry => entry.name));
        Assert.Equal(["table"], block.named_buffers().Select(entry => entry.name));
        Assert.Equal(["_inner"], block.named_children().Select(entry => entry.name));
        Assert.Equal(1, block.Ignored);
    }

    [Fact]
    public void RegisterComponents_OfNestedModules_JoinsNamesByDots()
    {
        using var root = new Root();

        Assert.Equal(["layers", "layers.0", "layers.1", "layers.0._inner", "layers.1._inner"], root.named_modules().Select(entry => entry.name));
        Assert.Contains("layers.1._inner.weight", root.named_parameters().Select(entry => entry.name));
        Assert.Equal(9, root.parameters().Count());
        Assert.Same(root.Layers[1].Scale, root.get_parameter("layers.1.renamed"));
        Assert.True(root.has_buffer("layers.0.table"));
        Assert.False(root.has_parameter("layers.2.renamed"));
        Assert.Null(root.get_parameter("nothing.here"));
    }

    [Fact]
    public void RegisterComponents_CalledByBaseAndDerived_RegistersBothLevels()
    {
        using var derived = new Derived();

        Assert.Equal(10, derived.parameters().Count());
        Assert.Same(derived.More, derived.get_parameter("more"));
        Assert.Same(derived.Own, derived.get_parameter("own"));
    }

    [Fact]
    public void RegisterComponents_NotCalled_LeavesNoParameters() => Assert.Empty(new Forgetful().parameters());

    [Fact]
    public void Register_NameTakenOrBad_Throws()
    {
        using var root = new Root();

        Assert.Throws<InvalidOperationException>(() => root.register_parameter("own", new Parameter(ones(1))));
        Assert.Throws<InvalidOperationException>(() => root.register_module("layers", nn.Identity()));
        Assert.Throws<ArgumentException>(() => root.register_module("a.b", nn.Identity()));
        Assert.Throws<ArgumentNullException>(() => root.register_buffer("empty", null!));
        Assert.Throws<InvalidOperationException>(() => nn.ReLU().register_parameter("p", new Parameter(ones(1))));
    }

    [Fact]
    public void Parameters_SharedByTwoModules_CountOnceAndKeepBothNamesInTheState()
    {
        var embedding = nn.Embedding(3, 2);
        var head = nn.Linear(2, 3, hasBias: false);
        head.weight = embedding.weight!;
        using var both = nn.Sequential(("embedding", embedding), ("head", head));

        Assert.Single(both.parameters());
        Assert.Equal(["embedding.weight", "head.weight"], both.state_dict().Keys);
    }

    [Fact]
    public void StateDict_LoadedIntoAnother_GivesTheSameFunction()
    {
        using var first = new Root();
        using var second = new Root();
        using var input = Numbers.Spread(1, 4, 2);
        Assert.False(first.call(input).Equals(second.call(input)));

        var (missing, unexpected) = second.load_state_dict(first.state_dict());

        Assert.Empty(missing);
        Assert.Empty(unexpected);
        Numbers.Same(first.call(input), second.call(input), 0);
        Assert.Contains("layers.0.table", first.state_dict(prefix: null).Keys);
        Assert.Contains("model.layers.0.table", first.state_dict(prefix: "model").Keys);
    }

    [Fact]
    public void LoadStateDict_NamesOrShapesDiffer_SaysWhichAndCopiesNothing()
    {
        using var linear = nn.Linear(2, 2, dtype: float64);
        var before = Numbers.Of(linear.weight);
        var state = new Dictionary<string, Tensor> { ["weight"] = zeros(2, 2, float64), ["other"] = zeros(1) };

        var error = Assert.Throws<InvalidOperationException>(() => linear.load_state_dict(state));
        Assert.Contains("bias", error.Message, StringComparison.Ordinal);
        Assert.Contains("other", error.Message, StringComparison.Ordinal);
        var wrong = new Dictionary<string, Tensor> { ["weight"] = zeros(2, 2, float64), ["bias"] = zeros(3, float64) };
        Assert.Contains("bias", Assert.Throws<ArgumentException>(() => linear.load_state_dict(wrong)).Message, StringComparison.Ordinal);
        Numbers.Same(before, linear.weight, 0);

        var (missing, unexpected) = linear.load_state_dict(state, strict: false);
        Assert.Equal(["bias"], missing);
        Assert.Equal(["other"], unexpected);
        Numbers.Same(new double[4], linear.weight, 0);
        Assert.Empty(linear.load_state_dict(state, strict: true, skip: ["bias", "other"]).missing_keys);
    }

    [Fact]
    public void Train_SetOnTheRoot_ReachesEveryModule()
    {
        using var root = new Root();
        Assert.True(root.training);

        root.eval();

        Assert.All(root.modules(), module => Assert.False(module.training));
        root.train();
        Assert.All(root.modules(), module => Assert.True(module.training));
    }

    [Fact]
    public void Apply_Visits_InnermostFirst()
    {
        using var root = new Root();
        var visited = new List<string>();

        root.apply(module => visited.Add(module.GetName()));

        Assert.Equal(["Linear", "Block", "Linear", "Block", "ModuleList", "Root"], visited);
    }

    [Fact]
    public void ZeroGrad_WithAndWithoutNull_DropsOrClears()
    {
        using var linear = nn.Linear(2, 1);
        linear.call(ones(1, 2)).sum().backward();

        linear.zero_grad(set_to_none: false);
        Numbers.Same(new double[2], linear.weight.grad!, 0);
        linear.zero_grad();
        Assert.Null(linear.weight.grad);
    }

    [Fact]
    public void To_AnotherType_ReplacesParametersInFieldsAndRegistry()
    {
        using var root = new Root();
        var (old, oldScale) = (root.Own, root.Layers[0].Scale);
        root.call(Numbers.Spread(0, 1, 2)).sum().backward();

        var moved = root.to(float32);

        Assert.Same(root, moved);
        Assert.NotSame(old, root.Own);
        Assert.Same(root.Own, root.get_parameter("own"));
        Assert.All(root.parameters(), parameter => Assert.Equal(float32, parameter.dtype));
        Assert.All(root.buffers(), buffer => Assert.Equal(float32, buffer.dtype));
        Assert.Equal(float32, root.Layers[0].Table.dtype);
        Assert.True(root.Own.requires_grad);
        Assert.Equal(float32, root.Own.grad!.dtype);
        Assert.True(old.IsInvalid);
        Assert.True(oldScale.IsInvalid);
        Assert.Equal(float32, root.call(ones(1, 2)).dtype);
    }

    [Fact]
    public void To_SameType_ChangesNothing()
    {
        using var linear = nn.Linear(2, 2);
        var weight = linear.weight;

        linear.to(float32).to(CPU).cpu();

        Assert.Same(weight, linear.weight);
        Assert.Throws<ArgumentException>(() => linear.to(int64));
    }

    [Fact]
    public void To_WithASharedParameter_KeepsItShared()
    {
        var first = nn.Linear(2, 2);
        var second = nn.Linear(2, 2);
        second.weight = first.weight;
        using var both = nn.Sequential(first, second).to(float64);

        Assert.Same(first.weight, second.weight);
        Assert.Equal(3, both.parameters().Count());
    }

    [Fact]
    public void Hooks_AroundACall_ReplaceInputAndOutputUntilRemoved()
    {
        using var linear = nn.Linear(1, 1, dtype: float64);
        nn.init.ones_(linear.weight);
        nn.init.zeros_(linear.bias!);
        int seen = 0;
        var before = linear.register_forward_pre_hook((_, input) => input * 2);
        var after = linear.register_forward_hook((_, input, output) => output + input);
        var count = linear.register_forward_hook(_ => seen++);
        using var three = Numbers.Real([3], 1, 1);

        // 3 doubled is 6, the layer keeps it, and the hook adds the layer's input, 6.
        Numbers.Same([12.0], linear.call(three));
        Numbers.Same([3.0], linear.forward(three));
        before.remove();
        Numbers.Same([6.0], linear.call(three));
        after.remove();
        count.remove();
        Numbers.Same([3.0], linear.call(three));
        Assert.Equal(2, seen);
    }

    [Fact]
    public void Scopes_ModulesMadeInside_OutliveThemButOwnParametersDoNot()
    {
        Linear linear;
        Parameter own;
        using (NewDisposeScope())
        {
            linear = nn.Linear(2, 2);
            own = new Parameter(ones(2));
        }

        Assert.False(linear.weight.IsInvalid);
        Assert.True(own.IsInvalid);
        linear.Dispose();
        Assert.True(linear.weight.IsInvalid);
    }

    [Fact]
    public void Parameter_OfATensor_TakesItOverAndItsScope()
    {
        using var outer = NewDisposeScope();
        var data = ones(2, 2);
        Parameter parameter;
        using (NewDisposeScope()) parameter = nn.Parameter(data);

        Assert.True(data.IsInvalid);
        Assert.False(parameter.IsInvalid);
        Assert.True(parameter.requires_grad);
        Assert.True(new Parameter(parameter * 2).is_leaf);
        Assert.False(nn.Parameter(ones(1), requires_grad: false).requires_grad);
    }

    [Fact]
    public void ModuleDict_KeepsNamesAndOrder()
    {
        using var modules = nn.ModuleDict<nn.Module>(("b", nn.Linear(1, 1)), ("a", nn.Identity()));

        Assert.Equal(["b.weight", "b.bias"], modules.named_parameters().Select(entry => entry.name));
        Assert.Equal(["b", "a"], modules.keys());
        Assert.True(modules.Remove("b"));
        Assert.Empty(modules.parameters());
    }

    [Fact]
    public void ModuleList_ChangedLater_RegistersAnew()
    {
        using var list = nn.ModuleList(nn.Linear(1, 1, hasBias: false), nn.Linear(1, 1, hasBias: false));

        list.RemoveAt(0);
        list.Add(nn.Linear(1, 2));

        Assert.Equal(["0.weight", "1.weight", "1.bias"], list.named_parameters().Select(entry => entry.name));
    }
}
