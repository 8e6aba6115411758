namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A module with 1 argument: subclasses write <see cref="forward"/>, users call <see cref="call"/>.</summary>
        public abstract class Module<T, TResult> : HookableModule<Func<Module<T, TResult>, T, T>, Func<Module<T, TResult>, T, TResult, TResult>>, IModule<T, TResult>
        {
            protected Module(string name) : base(name) { }

            public abstract TResult forward(T input);

            /// <summary>Runs <see cref="forward"/> with the hooks around it.</summary>
            public TResult call(T input)
            {
                if (!Hooked) return forward(input);
                BeforeCall();
                foreach (var hook in pre_hooks.Values.ToArray())
                    if (hook(this, input) is { } changed) input = changed;
                var result = forward(input);
                foreach (var hook in post_hooks.Values.ToArray())
                    if (hook(this, input, result) is { } changed) result = changed;
                AfterCall();
                return result;
            }
        }
    }
}
