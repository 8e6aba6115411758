using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>The adapters' parameters under <c>adapters</c> in a model's tree.</summary>
/// <remarks>TorchSharp's <c>Sequential</c> ignores a module that is registered after its construction: it neither lists it nor passes the
/// training mode on. For such a root this class adds the adapters' names to the root's, and a hook passes the mode on before each
/// call.</remarks>
internal sealed class AdapterTree : IDisposable
{
    private const string Container = "adapters";

    private readonly nn.Module root;
    private readonly bool isListed;
    private readonly Action? removeHook;

    /// <exception cref="ArgumentException">The root already has adapters, or it can neither list them nor be hooked.</exception>
    public AdapterTree(nn.Module root)
    {
        this.root = root;
        try
        {
            root.register_module(Container, Node);
        }
        catch (InvalidOperationException exception)
        {
            throw new ArgumentException(
                $"the model already has adapters; add more with {nameof(AdaptedModel.Add)}",
                nameof(root),
                exception
            );
        }

        Node.train(root.training);
        isListed = root.named_children().Any(child => child.name == Container);
        if (isListed)
            return;
        if (root is not nn.Module<Tensor, Tensor> hooked)
        {
            root.register_module(Container, null!);
            throw new ArgumentException(
                $"the module {root.GetName()} does not list modules that are registered with it; make it a field of a module of your own",
                nameof(root)
            );
        }

        removeHook = hooked
            .register_forward_pre_hook(
                (_, input) =>
                {
                    if (Node.training != root.training)
                        Node.train(root.training);
                    return input;
                }
            )
            .remove;
    }

    public AdapterNode Node { get; } = new();

    /// <summary>Returns every parameter of the model and of the adapters with its name in the tree.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Parameters() =>
        isListed
            ? root.named_parameters()
            : root.named_parameters().Concat(Node.named_parameters().Select(item => ($"{Container}.{item.name}", item.parameter)));

    /// <summary>Removes the adapters from the tree.</summary>
    public void Dispose()
    {
        removeHook?.Invoke();
        root.register_module(Container, null!);
        Node.Dispose();
    }
}
